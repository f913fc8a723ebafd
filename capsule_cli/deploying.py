"""A deploy from start to end: describe, check, pack, send, follow. Used by ``deploy`` and ``quickstart``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from capsule_cli import output, progress
from capsule_cli.connect import closing
from capsule_cli.describe import Entry, describe
from cpsl.errors import Conflict, DeployFailed, GatewayError, NotFound
from cpsl.wire.apps import (
    AppSpec,
    DeployDone,
    DeployError,
    DeployEvent,
    DeployLog,
    DeployStatus,
    Development,
    Missing,
)

if TYPE_CHECKING:
    from cpsl.bundle import Bundle
    from cpsl.client import Client


def deploy(client: Client, entry: Entry, development: Development | None = None) -> DeployDone:
    """Put the app at ``entry`` live, with ``development`` under its name for that.

    Nothing is sent before all that it names is there.

    Raises NotFound (code ``missing_resources``), EntryPointError, DeployFailed, TooLarge, and what the client raises.
    """
    spec = describe(entry)
    if development is not None:
        spec = development.spec_of(spec)
    _refuse_missing(spec, client.deploys.check(spec).missing)
    output.say(f"Deploying {spec.name} from {entry.root}{os.sep}{entry.name}")
    return _send(client, entry, spec, development)


def _refuse_missing(spec: AppSpec, missing: Iterable[Missing]) -> None:
    needed = list(missing)
    if not needed:
        return
    names = ", ".join(f"{item.kind} {item.name}" for item in needed)
    commands = "\n  ".join(item.command for item in needed)
    raise NotFound(
        f"{spec.name} needs what is not there yet: {names}. Nothing was sent.",
        code="missing_resources",
        hint=f"Create it:\n  {commands}",
    )


def _send(client: Client, entry: Entry, spec: AppSpec, development: Development | None) -> DeployDone:
    from cpsl import bundle

    found = bundle.collect(entry.root)
    bundle.check_size(found)
    for name in found.skipped:
        output.whisper(f"  Skipped {name}: not a regular file")
    sent = client.deploys.create(
        _archive(found), entry.name, app=spec.name, secrets=spec.secrets, development=development
    )
    with closing(sent) as events:
        return _follow(events)


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


def _follow(events: Iterable[DeployEvent]) -> DeployDone:
    for event in events:
        match event:
            case DeployStatus():
                output.say(event.message)
            case DeployLog():
                output.whisper(f"  | {event.line.rstrip()}")
            case DeployDone():
                return event
            case DeployError():
                raise _failure(event)
    raise GatewayError(
        "The gateway ended the deploy without a result",
        code="deploy_cut",
        hint="capsule gateway logs",
    )


def _failure(event: DeployError) -> Exception:
    if event.status == Conflict.default_status:
        return Conflict(event.message, code=event.code, hint=event.hint)
    commands = "".join(f"\n  {item.command}" for item in event.missing)
    hint = (event.hint or "") + (f"\nCreate what is missing:{commands}" if commands else "")
    return DeployFailed(event.message, code=event.code, hint=hint.strip() or None, traceback=event.traceback)
