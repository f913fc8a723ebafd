"""The images of this machine: found by recipe, built once, removed when nobody uses them."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from cpsl.engine.local.images.building import BuildLimits, build_image, remove
from cpsl.engine.local.images.debian import Debian
from cpsl.engine.local.images.output import OnLine, Output
from cpsl.engine.local.images.recipe import Recipe, digest, is_empty, recipe
from cpsl.errors import CapsuleError, InvalidRequest
from cpsl.wire.apps import ImageSpec

_BUILDING = ".building-"
_YOUNG_SECONDS = 600.0


class Images:
    """The images in ``folder``, which no other process may use. It is made when the first one is built.

    A finished image has ``venv`` (when it names Python packages; made to lie at ``/opt/capsule/venv``), ``root`` (what
    Debian packages and commands add to the system, as ``root/usr``, ``root/etc`` …), ``build.log`` and ``recipe.json``.
    The recipe that asks for nothing has no image: ``path`` and ``build`` say None, and that is all it needs.
    """

    def __init__(self, folder: Path, limits: BuildLimits | None = None) -> None:
        self._folder = folder
        self._limits = limits or BuildLimits()
        self._debian = Debian(folder / ".apt")
        self._building: dict[str, _Build] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: set[Path] = set()

    def path(self, spec: ImageSpec) -> Path | None:
        """The finished image, or None where it was not built yet or there is nothing to build."""
        if is_empty(spec):
            return None
        path = self._folder / digest(recipe(spec))
        return path if path.is_dir() else None

    async def build(self, spec: ImageSpec, on_line: OnLine) -> Path | None:
        """The image, built now if need be; None for the recipe that asks for nothing.

        ``on_line`` gets what the build prints, from its beginning, also where it was begun for someone else: two who
        ask at once wait for the same build, and it is stopped when the last of them gives up.

        Raises InvalidRequest (code ``invalid_image``) and DeployFailed: code ``image_build_failed`` with the step that
        failed in its message and the last lines in its hint, ``sandbox_unavailable``, ``uv_missing``, ``apt_missing``.
        """
        if is_empty(spec):
            return None
        wanted = recipe(spec)
        name = digest(wanted)
        path = self._folder / name
        if path.is_dir():
            os.utime(path)  # it is young again: whoever asked is about to use it
            return path
        build = self._building.get(name) or self._begin(name, wanted)
        try:
            await build.wait(on_line)
        finally:
            if build.is_abandoned:
                self._forget(name, build)  # at once: the next one who asks must not wait for its end
                build.task.cancel()
        return path

    def log(self, spec: ImageSpec) -> str:
        """What the build printed: of a finished image, of one that is being built, or of the last one that failed."""
        if is_empty(spec):
            return ""
        name = digest(recipe(spec))
        if build := self._building.get(name):
            return build.output.text
        for kept in (self._folder / name / "build.log", self._failure(name)):
            with suppress(FileNotFoundError):
                return kept.read_text(encoding="utf-8", errors="replace")
        return ""

    async def collect(self, used: Iterable[ImageSpec]) -> list[str]:
        """Remove the images that none of ``used`` needs, and what interrupted builds left; the names of the removed.

        An image that was finished, or asked for, in the last ten minutes stays: a deploy may be about to use it.
        """
        kept = {name for spec in used for name in _names(spec)}
        gone = [path for path in self._entries() if self._is_left(path, kept)]
        doomed = [path.rename(self._own_folder("gone")) for path in gone]  # half an image must not be found by its name
        try:
            for path in doomed:
                await asyncio.to_thread(remove, path)
        finally:
            self._busy.difference_update(doomed)
        return sorted(path.name for path in gone)

    async def close(self) -> None:
        """Stop the builds. Whoever waits for one gets CancelledError."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, name: str, wanted: Recipe) -> _Build:
        output = Output()
        build = _Build(asyncio.create_task(self._run(name, wanted, output)), output)
        self._building[name] = build
        self._tasks.add(build.task)
        build.task.add_done_callback(self._tasks.discard)
        build.task.add_done_callback(lambda _: self._forget(name, build))
        return build

    def _forget(self, name: str, build: _Build) -> None:
        if self._building.get(name) is build:
            del self._building[name]

    async def _run(self, name: str, wanted: Recipe, output: Output) -> None:
        folder = self._own_folder(name)
        try:
            await build_image(wanted, folder, self._folder / name, self._debian, output, self._limits)
        except CapsuleError as error:
            with suppress(OSError):  # a full disk, perhaps, and that is what the error says
                self._failure(name).write_text(f"{output.text}{error.message}\n", encoding="utf-8", errors="replace")
            raise
        finally:
            self._busy.discard(folder)
        self._failure(name).unlink(missing_ok=True)

    def _own_folder(self, name: str) -> Path:
        """A name that nothing has, for something on its way to be an image or to be none any more."""
        folder = self._folder / f"{_BUILDING}{name}-{secrets.token_hex(4)}"
        self._busy.add(folder)
        return folder

    def _failure(self, name: str) -> Path:
        return self._folder / f"{name}.failed.log"

    def _entries(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except FileNotFoundError:
            return []

    def _is_left(self, path: Path, kept: set[str]) -> bool:
        name = path.name
        if name.startswith(_BUILDING):
            return path not in self._busy
        image = name.partition(".")[0]
        is_young = time.time() - path.stat().st_mtime < _YOUNG_SECONDS
        return image.startswith("img_") and image not in kept and not is_young


def _names(spec: ImageSpec) -> Iterator[str]:
    """The name of its image, unless it can have none."""
    with suppress(InvalidRequest):
        if not is_empty(spec):
            yield digest(recipe(spec))


class _Build:
    """A build under way, and who waits for it."""

    def __init__(self, task: asyncio.Task[None], output: Output) -> None:
        self.task = task
        self.output = output
        self._waiting = 0

    @property
    def is_abandoned(self) -> bool:
        """Whether it goes on though nobody waits for it any more."""
        return self._waiting == 0 and not self.task.done()

    async def wait(self, on_line: OnLine) -> None:
        """Wait for its end. Giving up does not stop it."""
        self._waiting += 1
        self.output.listen(on_line)
        try:
            await asyncio.shield(self.task)
        finally:
            self._waiting -= 1
            self.output.forget(on_line)
