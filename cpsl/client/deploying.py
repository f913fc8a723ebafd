"""A project put live, without I/O of its own: describe, collect, check, pack, send, follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cpsl import bundle
from cpsl.client import calls, flows, streams
from cpsl.client.bodies import Progress
from cpsl.client.operations import Emit, Flow, Work
from cpsl.client.projects import Entry, described, split
from cpsl.client.timeouts import Timeout, whole
from cpsl.errors import NotFound
from cpsl.wire.apps import AppSpec, DeployDone, Development, Missing, creating


@dataclass(frozen=True)
class DeployPlan:
    """What a deploy is to do; nothing has been sent yet.

    - ``spec`` is what the app declares; ``root`` its project's folder, ``entry`` the entry as seen from there
    - ``files`` are the names of what will be sent, ``size`` their bytes, ``skipped`` what one might miss among them
    - ``missing``: what the app names and the workspace has not; with any of it the deploy will not go on
    """

    spec: AppSpec
    root: Path
    entry: str
    files: list[str] = field(repr=False)
    size: int
    skipped: list[str]
    missing: list[Missing]


def plan(gateway: flows.Gateway, entry: str, development: Development | None) -> Flow[DeployPlan]:
    """What deploying ``entry`` would do. Raises as ``deploy`` does before anything is sent."""
    place = split(entry)
    made, _ = yield from _planned(gateway.limited(), place, development)
    return made


def deploy(
    gateway: flows.Gateway,
    entry: str,
    development: Development | None,
    progress: Progress | None,
    timeout: float | Timeout | None,
    idempotency_key: str | None = None,
) -> Flow[DeployDone]:
    """Emits a DeployPlan, before anything is sent, then DeployEvents; returns the last of them."""
    gateway = gateway.limited(whole(timeout))
    place = split(entry)
    made, files = yield from _planned(gateway, place, development)
    yield Emit(made)
    _refuse_missing(made)
    archive, spec = _Archive(files, progress), made.spec
    key = idempotency_key
    return (yield from streams.deploy(gateway, archive, place.name, spec.name, spec.secrets, development, key))


class _Archive:
    """Files, packed anew whenever they have to be sent again."""

    def __init__(self, files: bundle.Bundle, progress: Progress | None) -> None:
        self._files, self._progress = files, progress

    def __iter__(self) -> Iterator[bytes]:
        return bundle.pack(self._files, self._progress)


def _planned(
    gateway: flows.Gateway, place: Entry, development: Development | None
) -> Flow[tuple[DeployPlan, bundle.Bundle]]:
    spec = yield from described(place, gateway.seconds_left)
    if development is not None:
        spec = development.spec_of(spec)
    files: bundle.Bundle = yield Work(partial(_collected, place.root))
    found = yield from flows.call(gateway, calls.check_deploy(spec))
    names = [each.name for each in files]
    return DeployPlan(spec, place.root, place.name, names, files.size, files.skipped, found.missing), files


def _collected(root: Path) -> bundle.Bundle:
    found = bundle.collect(root)
    bundle.check_size(found)
    return found


def _refuse_missing(made: DeployPlan) -> None:
    if not made.missing:
        return
    names = ", ".join(f"{item.kind} {item.name}" for item in made.missing)
    raise NotFound(
        f"{made.spec.name} needs what is not there yet: {names}. Nothing was sent.",
        code="missing_resources",
        hint=creating(made.missing),
    )
