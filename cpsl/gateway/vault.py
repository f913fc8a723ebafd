"""Keeps values sealed at rest: AES-256-GCM, one data key per workspace, wrapped by one master key.

Every sealed value carries a version byte, the id of the key that sealed it, and a random 96-bit nonce, and is bound to
its row by associated data: a value moved to another row, cut short or altered does not open (NIST SP 800-38D).
Out of scope: whoever reads this process's memory, or holds both the store and the master key.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cpsl.errors import GatewayError

_VERSION = b"\x01"
_KEY_ID = 8
_NONCE = 12
KEY_BYTES = 32


class SealBroken(GatewayError):
    """A sealed value does not open: it was altered, moved, or sealed with another key."""

    default_code = "seal_broken"


class Key:
    """A key that seals and opens. Its repr shows the key's id only."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(secret)}")
        self._secret = secret
        self._cipher = AESGCM(secret)
        self.id = hashlib.sha256(b"capsule key id" + secret).digest()[:_KEY_ID]

    def __repr__(self) -> str:
        return f"Key(id={self.id.hex()}, secret=[secure])"

    def seal(self, plain: bytes, context: str) -> bytes:
        """Seal ``plain`` for the row that ``context`` names."""
        nonce = os.urandom(_NONCE)
        header = _VERSION + self.id
        return header + nonce + self._cipher.encrypt(nonce, plain, header + context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed for ``context``. Raises SealBroken."""
        header, rest = sealed[: 1 + _KEY_ID], sealed[1 + _KEY_ID :]
        if header != _VERSION + self.id:
            raise SealBroken(
                "a stored secret was sealed with another key", hint="Restore the key this data was made with."
            )
        try:
            return self._cipher.decrypt(rest[:_NONCE], rest[_NONCE:], header + context.encode())
        except (InvalidTag, ValueError):
            raise SealBroken("a stored secret does not open: its row was altered") from None

    def derived(self, purpose: str) -> bytes:
        """A key of 32 bytes for one other purpose, like signing cookies: it tells nothing of this one, or of others."""
        return hmac.new(self._secret, b"derived/" + purpose.encode(), hashlib.sha256).digest()

    def digest(self, plain: bytes) -> str:
        """Eight characters that tell two values apart, of no use to anyone without the key."""
        return hmac.new(self._secret, b"digest" + plain, hashlib.sha256).hexdigest()[:8]


class Vault:
    """Opens the workspaces' data keys with the master key, once each."""

    def __init__(self, master: Key) -> None:
        self._master = master
        self._keys: dict[str, Key] = {}

    def new_data_key(self, workspace_id: str) -> bytes:
        """A new data key for a workspace, wrapped for its row."""
        return self._master.seal(os.urandom(KEY_BYTES), f"workspace/{workspace_id}")

    def unlock(self, workspace_id: str, wrapped: bytes) -> Key:
        """The data key of a workspace. Raises SealBroken when the master key is not the one that wrapped it."""
        key = self._keys.get(workspace_id)
        if key is None:
            key = Key(self._master.open(wrapped, f"workspace/{workspace_id}"))
            self._keys[workspace_id] = key
        return key
