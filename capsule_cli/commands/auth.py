"""``capsule login``, ``logout``, ``status`` and ``capsule auth``: the conversation around the silent login flows."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capsule_cli import daemon, output
from capsule_cli.commands.open import open_in_browser
from capsule_cli.errors import UsageError, exit_code, facts
from capsule_cli.options import JsonOpt, ProfileOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun, verb
from cpsl.errors import AuthError, CapsuleError, NotLoggedIn

if TYPE_CHECKING:
    from cpsl.auth import Credentials
    from cpsl.client.login import Login
    from cpsl.wire.accounts import DeviceCode, Me

cli = noun("login, logout, status, and the token for scripts.")
login_cli, logout_cli, status_cli = verb(), verb(), verb()

GatewayOpt = Annotated[
    str | None,
    typer.Option(
        "--gateway",
        metavar="URL",
        help="Another gateway than the one on this machine.",
        show_default=False,
    ),
]


def login(
    gateway: GatewayOpt = None,
    with_token: Annotated[bool, typer.Option("--with-token", help="Read a token from stdin.")] = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Log in to the gateway on this machine, or to another.

    The one on this machine is started if need be; for another, a code is confirmed in the browser.
    """
    if with_token:
        made = _login_with_token(gateway, profile)
    elif gateway:
        made = _login_with_device(gateway, profile)
    else:
        made = login_here(profile)
    _tell(made, json=json)


def logout(profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Revoke the token at the gateway and forget it here."""
    from cpsl.client import login as flows

    revoked = flows.logout(profile or os.environ.get("CAPSULE_PROFILE") or None)
    Output(json=json).done("Logged out", {"logged_out": True, "revoked": revoked})
    if not revoked and not json:
        output.whisper("  The gateway did not revoke the token: it is away, or knows it no more.")


def status(profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Show who you are, and at which gateway.

    Also where the token comes from, and whether it is valid.

    Exit code 4 when not logged in; with --json always 0.
    """
    found = _status(profile)
    if json:
        return output.print_json(found.as_json(), json)
    if found.credentials:
        Output().item(found, found.lines())
    if found.me:
        output.warn_of_isolation(found.me.isolation)
    if found.error:
        raise found.error


@cli.command(epilog=examples('curl -H "Authorization: Bearer $(capsule auth token)" …'))
def token(profile: ProfileOpt = None) -> None:
    """Print the token in use, and nothing else."""
    from cpsl import auth

    output.data(auth.resolve(profile=profile).token)


_LOGIN_EXAMPLES = examples(
    "capsule login",
    "capsule login --gateway https://capsule.example.com",
    'printf %s "$TOKEN" | capsule login --with-token --gateway https://capsule.example.com',
)
for _group, _command, _epilog in (
    (login_cli, login, _LOGIN_EXAMPLES),
    (logout_cli, logout, examples("capsule logout", "capsule logout --profile work")),
    (status_cli, status, examples("capsule status", "capsule status --json")),
):
    _group.command(epilog=_epilog)(_command)
    cli.command(epilog=_epilog)(_command)


def login_here(profile: str | None = None) -> Login:
    """Log in to the gateway on this machine; start it if it does not run."""
    from cpsl.auth import local
    from cpsl.client import login as flows

    folder = daemon.data_dir(None)
    if daemon.find(folder) is None:
        output.whisper("Starting the gateway on this machine …")
    running = daemon.ensure(folder)
    bootstrap = local.read_bootstrap(folder)
    if bootstrap is None:
        raise CapsuleError(
            f"The gateway at {running.url} left no login file in {folder}",
            hint="capsule gateway logs",
        )
    return flows.login_local(bootstrap, **_named(profile))


def _login_with_token(gateway: str | None, profile: str | None) -> Login:
    from cpsl.client import login as flows

    if sys.stdin.isatty():
        raise UsageError(
            "--with-token reads the token from stdin, which is a terminal",
            code="no_token",
            hint='printf %s "$TOKEN" | capsule login --with-token',
        )
    given = sys.stdin.read().strip()
    if not given:
        raise UsageError("There is no token on stdin", code="no_token")
    return flows.login_with_token(gateway or _default_gateway(), given, **_named(profile))


def _login_with_device(gateway: str, profile: str | None) -> Login:
    from cpsl.client import login as flows

    return flows.login_with_device(gateway, on_code=_show_code, **_named(profile))


def _named(profile: str | None) -> dict[str, Any]:
    return {"profile": profile} if profile else {}


def _show_code(code: DeviceCode) -> None:
    """Print URL and code, and open the browser too: either may be what works here."""
    output.say(f"Open   {code.verification_uri}")
    output.say(f"Enter  {code.user_code}")
    output.whisper(f"Waiting for you to confirm it, for {code.expires_in // 60} minutes (Ctrl-C gives up) …")
    if sys.stderr.isatty():
        open_in_browser(code.verification_uri_complete or code.verification_uri)


def _default_gateway() -> str:
    from cpsl import config

    running = daemon.find(daemon.data_dir(None))
    return running.url if running else config.default_gateway_url()


def _tell(made: Login, *, json: str | None) -> None:
    told = {
        "profile": made.profile.name,
        "gateway_url": made.profile.gateway_url,
        "account": made.me.account.email,
        "workspace": made.me.workspace,
        "token_kept_in": made.where,
    }
    Output(json=json).done(f"Logged in as {told['account']} at {told['gateway_url']}", told)
    if not json:
        output.whisper("  Profile {profile}, workspace {workspace}; token kept in {token_kept_in}".format(**told))
    if os.environ.get("CAPSULE_TOKEN"):
        output.say("Note: CAPSULE_TOKEN is set in this shell, and goes before this login until you unset it.")


class Status:
    """What is known about the login: the credentials if any, who they are if they work, else why they do not."""

    def __init__(self, credentials: Credentials | None, me: Me | None, error: CapsuleError | None) -> None:
        self.credentials = credentials
        self.me = me
        self.error = error

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
            "Valid": validity + (f", until {output.when(expires)}" if expires else ""),
        }


def _status(profile: str | None) -> Status:
    from cpsl import auth
    from cpsl.client import Client

    try:
        credentials = auth.resolve(profile=profile)
    except NotLoggedIn as error:
        return Status(None, None, error)
    try:
        with Client(
            token=credentials.token,
            gateway_url=credentials.gateway_url,
            max_retries=0,
            timeout=10.0,
        ) as client:
            return Status(credentials, client.me(), None)
    except CapsuleError as error:
        return Status(credentials, None, error)
