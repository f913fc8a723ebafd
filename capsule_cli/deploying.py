"""A deploy from start to end: describe, check, pack, send, follow. Used by ``deploy`` and ``quickstart``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from capsule_cli import output, progress
from capsule_cli.connect import closing
from capsule_cli.describe import Entry, describe
from cpsl.errors import DeployFailed, GatewayError, NotFound
from cpsl.wire.apps import (
    AppSpec,
    DeployDone,
    DeployEvent,
    DeployLog,
    DeployStatus,
    Development,
    Missing,
    creating,
)

if TYPE_CHECKING:
    from cpsl.bundle import Bundle
    from cpsl.client import Client


def deploy(
    client: Client,
    entry: Entry,
    development: Development | None = None,
    agreed: Callable[[AppSpec], None] = lambda spec: None,
    *,
    wait: bool = True,
) -> DeployDone:
    """Put the app at ``entry`` live, with ``development`` under its name for that.

    Nothing is sent before all that it names is there, and ``agreed`` has let it pass: it raises what stops it.
    Without ``wait`` it is over when all is sent: then version 0 and no URL, but the ``deployment_id``.

    Raises NotFound (code ``missing_resources``), EntryPointError, DeployFailed, TooLarge, and what the client raises.
    """
    spec = describe(entry)
    if development is not None:
        spec = development.spec_of(spec)
    agreed(spec)
    _refuse_missing(spec, client.deploys.check(spec).missing)
    output.say(f"Deploying {spec.name} from {entry.root}{os.sep}{entry.name}")
    return _send(client, entry, spec, development, wait=wait)


def plan(client: Client, entry: Entry) -> dict[str, Any]:
    """What a deploy would do, without doing it. Raises as ``deploy`` does before anything is sent."""
    from cpsl import bundle

    spec = describe(entry)
    found = bundle.collect(entry.root)
    bundle.check_size(found)
    missing = client.deploys.check(spec).missing
    return {
        "app": spec.name,
        "folder": str(entry.root),
        "entry": entry.name,
        "files": len(found),
        "size": found.size,
        "packages": [*spec.image.python_packages, *spec.image.apt_packages],
        "secrets": list(dict.fromkeys([*spec.secrets, *spec.references])),
        "missing": [f"{item.kind} {item.name}" for item in missing],
        "commands": [item.command for item in missing],
    }


def _refuse_missing(spec: AppSpec, missing: list[Missing]) -> None:
    if not missing:
        return
    names = ", ".join(f"{item.kind} {item.name}" for item in missing)
    raise NotFound(
        f"{spec.name} needs what is not there yet: {names}. Nothing was sent.",
        code="missing_resources",
        hint=creating(missing),
    )


def _send(client: Client, entry: Entry, spec: AppSpec, development: Development | None, *, wait: bool) -> DeployDone:
    from cpsl import bundle

    found = bundle.collect(entry.root)
    bundle.check_size(found)
    for name in found.skipped:
        output.whisper(f"  Skipped {name}: not a regular file")
    sent = client.deploys.create(
        _archive(found), entry.name, app=spec.name, secrets=spec.secrets, development=development
    )
    with closing(sent) as events:
        return _follow(events, spec.name, wait=wait)


def _archive(files: Bundle) -> Iterator[bytes]:
    """The archive in pieces; progress shows from the first to the last of them."""
    from cpsl import bundle

    read = 0

    with progress.bar(f"Sending {len(files)} file{'s'[: len(files) != 1]}", files.size) as advance:

        def so_far(count: int) -> None:
            nonlocal read
            advance(count - read)
            read = count

        yield from bundle.pack(files, progress=so_far)


def _follow(events: Iterable[DeployEvent], app: str, *, wait: bool) -> DeployDone:
    """Say what happens; the last event is the result, or the client raises what stands for it."""
    shown: list[str] = []
    begun = False
    try:
        for event in events:
            begun = True
            match event:
                case DeployStatus(deployment_id=id) if id and not wait:
                    return DeployDone(app, 0, "", id)
                case DeployStatus():
                    output.say(event.message)
                case DeployLog():
                    shown.append(event.line.rstrip())
                    output.whisper(f"  | {shown[-1]}")
                case DeployDone():
                    return event
    except KeyboardInterrupt:
        output.say(
            f"The gateway goes on with it. See what becomes of it: capsule app versions {app}"
            if begun
            else "Stopped before all of it was sent: what was live stays live."
        )
        raise
    except DeployFailed as error:
        raise _without_repeats(error, shown) from None
    raise GatewayError(
        "The gateway ended the deploy without a result",
        code="deploy_cut",
        hint="capsule gateway logs",
    )


def _without_repeats(error: DeployFailed, shown: list[str]) -> DeployFailed:
    """What a build printed last is the hint of its failure; here it stands on the screen already."""
    lines = [line.rstrip() for line in (error.hint or "").splitlines()]
    hint = None if lines == shown[len(shown) - len(lines) :] else error.hint
    return DeployFailed(
        error.message, code=error.code, hint=hint, request_id=error.request_id, traceback=error.traceback
    )
