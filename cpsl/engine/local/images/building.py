"""One build, from a recipe to a whole folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from cpsl.engine.local.images.debian import Debian
from cpsl.engine.local.images.output import READ_LIMIT, Output
from cpsl.engine.local.images.recipe import CONSTRAINT, Recipe, interpreter
from cpsl.engine.local.images.surroundings import INSIDE, UV, Surroundings, find_uv
from cpsl.errors import DeployFailed
from cpsl.wire.apps import ImageSpec
from cpsl.wire.builds import VENV, BuildBind, BuildEnded, BuildPlan, BuildStep

T = TypeVar("T")
_TITLE_LENGTH = 200
_STOP_SECONDS = 5.0
_ON_THE_COMMAND_LINE = {"--pre": "--prerelease=allow", "--trusted-host": "--allow-insecure-host"}


class BuildLimits(NamedTuple):
    """What a build may take: ``seconds`` in all, ``memory`` in MiB for each process, ``processes`` at once."""

    seconds: float = 900.0
    memory: int = 4096
    processes: int = 512


async def build_image(
    recipe: Recipe, folder: Path, target: Path, debian: Debian, output: Output, limits: BuildLimits
) -> None:
    """Build in ``folder``, which must not exist, and rename it to ``target`` when it is whole. It is gone otherwise.

    Raises DeployFailed: code ``image_build_failed`` with the step that failed, ``sandbox_unavailable``,
    ``uv_missing`` or ``apt_missing``.
    """
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir()
        async with asyncio.timeout(limits.seconds):
            await _build(recipe.image, folder, debian, output, limits)
        await _to_the_end(asyncio.to_thread(_finish, recipe, folder, target, output))
    except TimeoutError:
        raise _failed(f"it did not end within {limits.seconds:g} seconds", output) from None
    except OSError as error:
        raise _failed(f"{error.filename or 'the gateway'}: {error.strerror or error}", output) from error
    finally:
        await _to_the_end(asyncio.to_thread(remove, folder))


def remove(path: Path) -> None:
    """Remove a file or a folder, also one whose parts its owner may not read; nothing where there is none."""
    if not path.is_dir():
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
    else:
        for parent, folders, _ in os.walk(path):
            for name in folders:
                inner = os.path.join(parent, name)
                if not os.path.islink(inner) and not os.access(inner, os.R_OK | os.W_OK | os.X_OK):
                    os.chmod(inner, 0o700)
        shutil.rmtree(path)


async def _build(spec: ImageSpec, folder: Path, debian: Debian, output: Output, limits: BuildLimits) -> None:
    packages: list[str] = []
    if spec.apt_packages:
        packages = await debian.download(spec.apt_packages, folder / "scratch" / "packages", output)
    surroundings = Surroundings(os.environ)
    steps = [*_python(spec, folder, surroundings.binds), *_system(packages), *_commands(spec)]
    plan = BuildPlan(
        parent=os.getpid(),
        folder=os.path.realpath(folder),
        packages=[os.path.relpath(package, folder) for package in packages],
        binds=surroundings.binds,
        steps=steps,
        environment=surroundings.environment,
        memory_bytes=limits.memory * 1024**2,
        processes=limits.processes,
        changes_system=bool(spec.apt_packages or spec.commands),
        has_commands=bool(spec.commands),
    )
    _check(await _run(plan, output), steps, output)


def _python(spec: ImageSpec, folder: Path, binds: list[BuildBind]) -> Iterable[BuildStep]:
    if not spec.python_packages:
        return
    constraints = [line.removeprefix(CONSTRAINT) for line in spec.python_packages if line.startswith(CONSTRAINT)]
    options, lines = _options_and_lines(line for line in spec.python_packages if not line.startswith(CONSTRAINT))
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    for option, name, content in (("-r", "requirements.txt", lines), ("-c", "constraints.txt", constraints)):
        if content:
            (scratch / name).write_text("".join(f"{line}\n" for line in content))
            binds.append(BuildBind(os.path.realpath(scratch / name), f"{INSIDE}/{name}"))
            options += [option, f"{INSIDE}/{name}"]
    binds.append(BuildBind(find_uv(), UV))
    create = ["venv", "--quiet", "--no-project", "--allow-existing", "--python", interpreter(), VENV]
    yield BuildStep("Python environment", [UV, *create])
    yield BuildStep("Python packages", [UV, "pip", "install", *options])


def _options_and_lines(lines: Iterable[str]) -> tuple[list[str], list[str]]:
    """uv takes some options of requirements files on its command line alone."""
    options: list[str] = []
    others: list[str] = []
    for line in lines:
        name, _, value = line.partition(" ")
        if name in _ON_THE_COMMAND_LINE:
            options += [_ON_THE_COMMAND_LINE[name], *value.split()]
        else:
            others.append(line)
    return options, others


def _system(packages: list[str]) -> Iterable[BuildStep]:
    if packages:
        yield BuildStep("Libraries of the Debian packages", ["/sbin/ldconfig"])


def _commands(spec: ImageSpec) -> Iterable[BuildStep]:
    for number, command in enumerate(spec.commands, 1):
        yield BuildStep(f"Command {number} of {len(spec.commands)}: {command}", ["/bin/sh", "-ec", command])


async def _run(plan: BuildPlan, output: Output) -> BuildEnded:
    answer, told = os.pipe()
    with os.fdopen(answer, "rb") as reading:
        try:
            process = await _spawn(told)
        finally:
            os.close(told)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(plan))
            process.stdin.close()
            await output.read(process.stdout)
            await process.wait()
        finally:
            await _to_the_end(_end(process))
        text = await asyncio.to_thread(reading.read)
    return msgspec.json.decode(text, type=BuildEnded) if text else BuildEnded(problem="its process was killed")


async def _spawn(told: int) -> asyncio.subprocess.Process:
    """Start the builder. Who is cancelled meanwhile does not leave a process behind that nobody knows of."""
    starting = asyncio.ensure_future(_start(told))
    try:
        return await _to_the_end(starting)
    except asyncio.CancelledError:
        await _to_the_end(_end(starting.result()))
        raise


async def _start(told: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cpsl.runtime", "--build", "--out-fd", str(told)),
        pass_fds=(told,),
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=READ_LIMIT,
        cwd="/",
        start_new_session=True,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """When it has ended, so has all that the steps started: nothing writes to the folder any more."""
    assert process.stdout is not None
    for how in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None or not process.stdout.at_eof():  # what it started may outlive it for a moment
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.communicate(), _STOP_SECONDS)


async def _to_the_end(work: Awaitable[T]) -> T:
    """Its result, waited for however often this is cancelled meanwhile: what comes next must not meet it halfway.

    Raises what it raises; if it came to its end in spite of a cancellation, that CancelledError.
    """
    running = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
    result = running.result()
    if cancelled:
        raise cancelled
    return result


def _check(ended: BuildEnded, steps: list[BuildStep], output: Output) -> None:
    if ended.is_refused:
        raise DeployFailed(
            f"This machine does not let the gateway isolate the build of an image: {ended.problem}",
            code="sandbox_unavailable",
            hint="Allow unprivileged user namespaces, as for running apps. Debian packages and commands also need Linux"
            " 5.11, and the gateway's data dir on a filesystem that can be an overlay's upper layer, like ext4 or XFS.",
        )
    if not ended.is_done:
        if ended.step < 0:
            raise _failed(ended.problem, output)
        how = f"exit status {ended.status}" if ended.status >= 0 else signal.Signals(-ended.status).name
        title = steps[ended.step].title.splitlines()[0][:_TITLE_LENGTH]
        raise _failed(f"{title} (ended with {how})", output)


def _failed(problem: str, output: Output) -> DeployFailed:
    hint = output.last or None
    return DeployFailed(f"The image could not be built: {problem}", code="image_build_failed", hint=hint)


def _finish(recipe: Recipe, folder: Path, target: Path, output: Output) -> None:
    """The process of the build left all that stays on the disk."""
    for name in ("scratch", "work"):
        remove(folder / name)
    for name, content in (("recipe.json", msgspec.json.encode(recipe)), ("build.log", output.text.encode())):
        with (folder / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    _sync(folder)
    folder.rename(target)
    _sync(target.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
