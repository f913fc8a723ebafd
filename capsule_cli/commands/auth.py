"""``capsule login``, ``logout`` and ``capsule auth``: the conversation around the silent login flows."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capsule_cli import ask, daemon, output, profiles
from capsule_cli.commands.open import open_in_browser
from capsule_cli.commands.status import EXAMPLES as STATUS_EXAMPLES
from capsule_cli.commands.status import status
from capsule_cli.errors import UsageError
from capsule_cli.options import JsonOpt, ProfileOpt, QuietOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun, verb
from cpsl.errors import CapsuleError, NotLoggedIn

if TYPE_CHECKING:
    from cpsl.client.login import Login
    from cpsl.config import Profile
    from cpsl.wire.accounts import DeviceCode

cli = noun("login, logout, status; profiles; the token for scripts.")
login_cli, logout_cli = verb(), verb()

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
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Read a token from a file.", show_default=False),
    ] = None,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Log in to the gateway on this machine, or to another.

    The one on this machine is started if need be; for another, a code is confirmed in the browser.
    """
    before = profiles.known()
    if token_file is not None:
        made = _login_with(_from_file(token_file), gateway, profile)
    elif with_token:
        made = _login_with_token(gateway, profile)
    elif gateway:
        made = _login_with_device(gateway, profile)
    else:
        made = login_here(profile)
    _tell(made, json=json)
    if not json:
        _tell_replaced(before.get(made.profile.name), made)


def logout(
    everywhere: Annotated[bool, typer.Option("--all", help="Every profile.")] = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Revoke the token at the gateway and forget it here."""
    from cpsl.client import login as flows

    if everywhere:
        if not (known := profiles.known()):
            raise NotLoggedIn("You are not logged in", hint="There is nothing to log out of.")
        answers = [flows.logout(name) for name in known]
        return Output(json=json).done("Logged out everywhere", {"logged_out": True, "revoked": all(answers)})
    revoked = flows.logout(profile or os.environ.get("CAPSULE_PROFILE") or None)
    Output(json=json).done("Logged out", {"logged_out": True, "revoked": revoked})
    if not revoked and not json:
        output.whisper("  The gateway did not revoke the token: it is away, or knows it no more.")


@cli.command(epilog=examples('curl -H "Authorization: Bearer $(capsule auth token)" …'))
def token(profile: ProfileOpt = None) -> None:
    """Print the token in use, and nothing else."""
    from cpsl import auth

    output.data(auth.resolve(profile=profile).token)


@cli.command("list", epilog=examples("capsule auth list", "capsule auth list --json"))
def list_(quiet: QuietOpt = False, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """List the profiles. The one in use has a *.

    With gateway, account, and where the token is.
    """
    known = list(profiles.known().values())
    active = profile or profiles.active()
    rows = [_row(each, active) for each in known]
    Output(json=json, quiet=quiet).rows(
        rows,
        {
            "PROFILE": lambda row: row["name"] + ("" if quiet or not row["active"] else " *"),
            "GATEWAY": lambda row: row["gateway_url"],
            "ACCOUNT": lambda row: row["account"],
            "TOKEN IN": lambda row: row["token_kept_in"] or "nowhere",
        },
        empty="You are not logged in anywhere. Begin with: capsule login",
    )


@cli.command(epilog=examples("capsule auth switch work", "capsule auth switch    (the other one of two)"))
def switch(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The profile.", show_default=False)] = None,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Use another profile from now on; of two, the other one."""
    from cpsl import auth, config

    chosen = name or profile or _other()
    config.activate_profile(chosen)
    found = config.load().profile(chosen)
    told = {"profile": chosen, "gateway_url": found.gateway_url, "account": found.account}
    Output(json=json).done(f"Now {found.account or 'somebody'} at {found.gateway_url} (profile {chosen})", told)
    hiding = auth.from_environment() or ("CAPSULE_PROFILE" if os.environ.get("CAPSULE_PROFILE") else None)
    if hiding and not json:
        output.say(f"Note: {hiding} is set in this shell, and goes before it until you unset it.")


_LOGIN_EXAMPLES = examples(
    "capsule login",
    "capsule login --gateway https://capsule.example.com",
    'printf %s "$TOKEN" | capsule login --with-token --gateway https://capsule.example.com',
)
for _group, _command, _epilog in (
    (login_cli, login, _LOGIN_EXAMPLES),
    (logout_cli, logout, examples("capsule logout", "capsule logout --profile work", "capsule logout --all")),
    (None, status, STATUS_EXAMPLES),
):
    if _group is not None:
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
    if sys.stdin.isatty():
        raise UsageError(
            "--with-token reads the token from stdin, which is a terminal",
            code="no_token",
            hint='printf %s "$TOKEN" | capsule login --with-token',
        )
    given = sys.stdin.read().strip()
    if not given:
        raise UsageError("There is no token on stdin", code="no_token")
    return _login_with(given, gateway, profile)


def _login_with(token: str, gateway: str | None, profile: str | None) -> Login:
    from cpsl.client import login as flows

    return flows.login_with_token(gateway or _default_gateway(), token, **_named(profile))


def _from_file(path: Path) -> str:
    from cpsl import private_files

    content = private_files.read(path.expanduser().resolve())
    if not content:
        raise UsageError(f"There is no token in {path}", code="no_token")
    return content.decode(errors="replace").strip()


def _other() -> str:
    """The profile that is meant when none is named: the other one of two, or the one that is chosen now."""
    known = sorted(profiles.known())
    others = [name for name in known if name != profiles.active()]
    if len(others) == 1:
        return others[0]
    if not others:
        raise UsageError("There is no other profile", code="no_profile", hint="capsule login --profile NAME")
    which = f"Which one? There are: {', '.join(known)}"
    ask.need_terminal("Choosing a profile", f"Name it: capsule auth switch NAME. {which}")
    try:
        return ask.line(f"{which}: ").strip()
    except EOFError:
        raise UsageError("No profile was chosen; nothing was changed") from None


def _row(profile: Profile, active: str) -> dict[str, Any]:
    from cpsl.auth import store
    from cpsl.auth.resolve import token_name

    kept = store.read(token_name(profile.name))
    return {
        "name": profile.name,
        "gateway_url": profile.gateway_url,
        "account": profile.account,
        "workspace": profile.workspace,
        "active": profile.name == active,
        "token_kept_in": kept[1] if kept else "",
    }


def _tell_replaced(before: Profile | None, made: Login) -> None:
    now = made.profile
    if before and (before.account, before.gateway_url) != (now.account, now.gateway_url):
        output.say(
            f"Profile {now.name} was {before.account} at {before.gateway_url}. "
            "To keep two: capsule login --profile NAME"
        )


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
        open_in_browser(code.verification_uri_complete or code.verification_uri, beside=True)


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
    from cpsl import auth

    if hiding := auth.from_environment():
        output.say(f"Note: {hiding} is set in this shell, and goes before this login until you unset it.")
