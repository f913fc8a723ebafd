"""``capsule status``: who you are, at which gateway, and where the token comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from capsule_cli import output, patience, profiles
from capsule_cli.errors import exit_code, facts
from capsule_cli.options import JsonOpt, ProfileOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, verb
from cpsl.errors import AuthError, CapsuleError, NotLoggedIn

if TYPE_CHECKING:
    from cpsl.auth import Credentials
    from cpsl.wire.accounts import Me

cli = verb()

_PATIENCE_SECONDS = 10.0

EXAMPLES = examples("capsule status", "capsule status --json")


@cli.command(epilog=EXAMPLES)
def status(profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Show who you are, and at which gateway.

    Also where the token comes from, and whether it is valid.

    Exit code 4 when not logged in; with --json always 0.
    """
    from cpsl import auth

    found = _status(profile)
    if json:
        return output.print_json(found.as_json(), json)
    if found.credentials:
        Output().item(found, found.lines())
    if found.hidden and not found.error:
        output.say(f"Note: {auth.from_environment()} is set, and goes before the login as profile {found.hidden}.")
    if found.me:
        output.warn_of_isolation(found.me.isolation)
    if found.error:
        raise found.error


class Status:
    """What is known about the login: the credentials if any, who they are if they work, else why they do not.

    ``hidden``: the profile whose login does not count, because a token in the environment goes before it.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        me: Me | None,
        error: CapsuleError | None,
        hidden: str | None = None,
    ) -> None:
        self.credentials = credentials
        self.me = me
        self.error = error
        self.hidden = hidden

    @property
    def kept_in(self) -> str | None:
        """The store that has the token, ``keyring`` or a file; None for a token that comes from elsewhere."""
        source, of, _ = self.credentials.source.partition(" (profile ") if self.credentials else ("", "", "")
        return source.removeprefix("file ") if of else None

    def as_json(self) -> dict[str, Any]:
        """The object that ``capsule status --json`` prints."""
        valid = None if self.me is None and not isinstance(self.error, AuthError) else self.me is not None
        told: dict[str, Any] = {
            "logged_in": self.credentials is not None,
            "valid": valid if self.credentials else False,
        }
        if self.credentials:
            told |= {
                "gateway_url": self.credentials.gateway_url,
                "profile": self.credentials.profile,
                "token_source": self.credentials.source,
                "token_kept_in": self.kept_in,
                "hidden_profile": self.hidden,
            }
        if self.me:
            told |= {
                "account": self.me.account.email,
                "role": self.me.account.role,
                "workspace": self.me.workspace,
                "gateway_version": self.me.gateway_version,
                "isolation": self.me.isolation,
                "expires_at": self.me.token.expires_at,
            }
        if self.error:
            told |= facts(self.error) | {"exit_code": exit_code(self.error)}
        return told

    def lines(self) -> dict[str, Any]:
        """The same for people."""
        assert self.credentials
        me = self.me
        expires = me.token.expires_at if me else None
        validity = {True: "yes", False: "no", None: "unknown"}[self.as_json()["valid"]]
        return {
            "Account": me.account.email if me else "",
            "Workspace": me.workspace if me else "",
            "Gateway": f"{self.credentials.gateway_url}{f' (version {me.gateway_version})' if me else ''}",
            "Profile": self.credentials.profile,
            "Token from": self.credentials.source,
            "Valid": validity,
            "Expires": (output.when(expires) if expires else "never") if me else "",
        }


def _status(profile: str | None) -> Status:
    from cpsl import auth, config
    from cpsl.client import Client

    try:
        credentials = auth.resolve(profile=profile)
    except NotLoggedIn as error:
        return Status(None, None, error)
    active = profiles.active()
    hidden = active if credentials.profile is None and active in profiles.known() else None
    try:
        with Client(
            token=credentials.token,
            gateway_url=credentials.gateway_url,
            max_retries=0,
            timeout=min(config.get("timeout"), _PATIENCE_SECONDS),
            on_wait=patience.waits,
        ) as client:
            return Status(credentials, client.me(), None, hidden)
    except CapsuleError as error:
        return Status(credentials, None, error, hidden)
