"""The vault: what was altered, moved or sealed with another key does not open; where the master key comes from."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from cpsl import config, private_files
from cpsl.errors import CapsuleError, ConfigError
from cpsl.gateway.accounts.service import Accounts
from cpsl.gateway.db.schema import secrets
from cpsl.gateway.keys import master_key
from cpsl.gateway.secrets.service import Secrets
from cpsl.gateway.vault import Key, SealBroken, Vault
from cpsl.wire.resources import SecretsCreate
from tests.support.store import MASTER, accounts_of, opened

KEY = Key(b"k" * 32)
values = st.binary(max_size=500)
rows = st.text(max_size=50)


@given(values, rows)
def test_what_was_sealed_opens(plain: bytes, row: str) -> None:
    sealed = KEY.seal(plain, row)
    assert KEY.open(sealed, row) == plain
    assert sealed != KEY.seal(plain, row)
    assert len(plain) < 4 or plain not in sealed


@given(values, rows, st.data())
def test_a_flipped_bit_closes_it(plain: bytes, row: str, data: st.DataObject) -> None:
    sealed = bytearray(KEY.seal(plain, row))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealBroken):
        KEY.open(bytes(sealed), row)


@given(values, st.data())
def test_cut_or_longer_it_stays_closed(plain: bytes, data: st.DataObject) -> None:
    sealed = KEY.seal(plain, "row")
    for altered in (sealed[: data.draw(st.integers(0, len(sealed) - 1))], sealed + b"\0", sealed[1:]):
        with pytest.raises(SealBroken):
            KEY.open(altered, "row")


@given(values, rows, rows)
def test_it_opens_in_its_own_row_only(plain: bytes, row: str, other: str) -> None:
    sealed = KEY.seal(plain, row)
    if row != other:
        with pytest.raises(SealBroken):
            KEY.open(sealed, other)


@given(st.binary(min_size=32, max_size=32))
def test_another_key_opens_nothing(secret: bytes) -> None:
    if secret != b"k" * 32:
        with pytest.raises(SealBroken):
            Key(secret).open(KEY.seal(b"plain", "row"), "row")


@pytest.mark.parametrize("secret", [b"", b"x" * 31, b"x" * 33])
def test_a_key_has_256_bits(secret: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Key(secret)


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(KEY) == f"Key(id={KEY.id.hex()}, secret=[secure])"
    assert KEY.digest(b"a") != KEY.digest(b"b")
    assert KEY.digest(b"a") == KEY.digest(b"a") != Key(b"l" * 32).digest(b"a")


def test_a_workspaces_key_opens_for_that_workspace_and_master_key_only() -> None:
    wrapped = Vault(MASTER).new_data_key("wsp_1")
    assert Vault(MASTER).unlock("wsp_1", wrapped).id == Vault(MASTER).unlock("wsp_1", wrapped).id
    with pytest.raises(SealBroken):
        Vault(MASTER).unlock("wsp_2", wrapped)
    with pytest.raises(SealBroken):
        Vault(KEY).unlock("wsp_1", wrapped)


def test_two_stored_secrets_that_were_swapped_do_not_open(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(f"sqlite:///{tmp_path}/capsule.db") as db:
            accounts, owner = await accounts_of(db)
            kept = Secrets(db, accounts)
            await kept.create(owner, SecretsCreate({"FIRST": "one", "SECOND": "two"}))
            assert await kept.open(owner.workspace_id, ["FIRST", "OTHER"]) == {"FIRST": "one"}
            second = select(secrets.c.sealed).where(secrets.c.name == "SECOND").scalar_subquery()
            change = update(secrets).where(secrets.c.name == "FIRST").values(sealed=second)
            await db.write(lambda connection: connection.execute(change) and None)
            with pytest.raises(SealBroken):
                await kept.open(owner.workspace_id, ["FIRST"])
            assert await kept.open(owner.workspace_id, ["SECOND"]) == {"SECOND": "two"}

    asyncio.run(run())


def test_a_store_of_another_master_key_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(f"sqlite:///{tmp_path}/capsule.db") as db:
            await accounts_of(db)
            with pytest.raises(SealBroken):
                await Accounts(db, Vault(KEY), "").set_up()

    asyncio.run(run())


# --- the master key itself


def _credentials() -> Path:
    return config.config_dir() / "credentials.json"


def test_the_master_key_is_made_once_and_kept_away_from_the_data(tmp_path: Path) -> None:
    made = master_key(tmp_path)
    assert master_key(tmp_path).id == made.id
    assert _credentials().stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "store-id").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["store-id"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "master_key_missing"),
        ("", "master_key_invalid"),
        ("not base64 !", "master_key_invalid"),
        ("QUJD", "master_key_invalid"),
    ],
)
def test_a_master_key_that_is_gone_or_damaged_is_not_made_anew(tmp_path: Path, content: str | None, code: str) -> None:
    master_key(tmp_path)
    kept = json.loads(_credentials().read_text())
    left = {} if content is None else dict.fromkeys(kept, content)
    private_files.write(_credentials(), json.dumps(left).encode())
    with pytest.raises(ConfigError) as caught:
        master_key(tmp_path)
    assert caught.value.code == code
    assert caught.value.hint
    assert json.loads(_credentials().read_text()) == left


def test_a_store_that_lost_its_id_gets_no_new_key(tmp_path: Path) -> None:
    master_key(tmp_path)
    before = _credentials().read_bytes()
    (tmp_path / "capsule.db").touch()
    (tmp_path / "store-id").unlink()
    with pytest.raises(ConfigError) as caught:
        master_key(tmp_path)
    assert caught.value.code == "master_key_missing"
    assert _credentials().read_bytes() == before


@pytest.mark.parametrize("name", ["store-id", "credentials.json"])
def test_a_link_in_the_place_of_a_private_file_is_refused(tmp_path: Path, name: str) -> None:
    master_key(tmp_path)
    path = tmp_path / name if name == "store-id" else _credentials()
    moved = path.rename(tmp_path / "moved")
    path.symlink_to(moved)
    with pytest.raises(CapsuleError):
        master_key(tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    master_key(tmp_path)
    _credentials().chmod(mode)
    with pytest.raises(CapsuleError):
        master_key(tmp_path)
