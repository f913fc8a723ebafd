"""From the gateway's environment into the sandbox of a version: ``python -m cpsl.runtime --launch``.

Three processes come of it. This one stays outside and writes the id maps of the namespaces, which only the outside may.
Inside, the *keeper* is process 1: it never runs the app's code, ends everything when the gateway is gone, and reaps.
Its child becomes the zygote by ``exec``, so that nothing of the gateway's memory or environment is in it.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

import msgspec

from cpsl.errors import DeployFailed
from cpsl.runtime import ids, kernel, sandbox
from cpsl.runtime.describe import broken
from cpsl.runtime.keeper import Keeper, exit_status
from cpsl.runtime.link import read_first
from cpsl.runtime.privileges import confine
from cpsl.wire import frames

_KEPT_VARIABLES = ("PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""How many threads numerical libraries start: else one for each core of the machine, of which the app has its share.
With one there is none to be left running by an import."""
_HINT = (
    "See what is missing, and the way to have it: capsule doctor. Or start the gateway with --isolation none, where"
    " apps can read this machine's files and mount no filesystems."
)


def launch(link: int, lifeline: int) -> NoReturn:
    """Read what to run from ``link``, and run it in its sandbox until the other end of ``lifeline`` is closed."""
    sock = socket.socket(fileno=link)
    try:
        start = read_first(sock)
    except (OSError, ValueError) as error:
        _leave(f"capsule runtime: {error}\n")
    try:
        if start.isolation == "namespaces":
            _Launch(sock, lifeline, start).run()
        _without_sandbox(start)
        _become_zygote(link, start, *_without_a_box(start.image))
    except DeployFailed as error:
        sock.sendall(frames.encode(broken(error)))
        os._exit(1)


class _Launch:
    """One launch into namespaces."""

    def __init__(self, sock: socket.socket, lifeline: int, start: frames.Start) -> None:
        self._sock = sock
        self._lifeline = lifeline
        self._start = start
        self._plan = sandbox.plan(start)
        self._is_root = os.getuid() == 0

    def run(self) -> NoReturn:
        kernel.adopt_orphans()
        outside, inside = socket.socketpair()
        child = os.fork()
        if child == 0:
            outside.close()
            self._enter(inside)
        inside.close()
        if outside.recv(1):  # else it failed, and has said so
            try:
                self._map_ids(child, outside)
            except OSError as error:
                self._refuse(error)
        outside.close()
        self._sock.close()
        os.close(self._lifeline)
        os._exit(_wait_for_all())

    # --- outside ----------------------------------------------------------------------------------------------------

    def _map_ids(self, child: int, outside: socket.socket) -> None:
        """Give the child its one id, and the copies of mounts that only root may make."""
        trees: list[int] = []
        if self._is_root:
            unused = ids.UNUSED_IDS + child % 100_000_000
            ids.map_ids(child, sandbox.APP_ID, unused, unused)
            trees = sandbox.trees(self._plan.binds, ids.owner_as(unused))
        else:
            ids.deny_groups(child)
            ids.map_ids(child, sandbox.APP_ID, os.getuid(), os.getgid())
        socket.send_fds(outside, [b"!"], trees)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _enter(self, inside: socket.socket) -> NoReturn:
        try:
            self._make_root(inside)
            keeper = os.fork()
            if keeper:
                os._exit(0)
            sandbox.change_root()
        except OSError as error:
            self._refuse(error)
        self._keep()

    def _make_root(self, inside: socket.socket) -> None:
        new = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
        kernel.unshare(kernel.CLONE_NEWUSER | new)
        inside.send(b"?")
        answer, trees, _, _ = socket.recv_fds(inside, 1, 250)
        if not answer:
            os._exit(1)  # the other side has said why
        if self._is_root:
            os.setgroups([])
            os.setresgid(*[sandbox.APP_ID] * 3)
            os.setresuid(*[sandbox.APP_ID] * 3)
        socket.sethostname("capsule")
        sandbox.build(self._plan, trees or sandbox.trees(self._plan.binds))

    def _keep(self) -> NoReturn:
        """Be process 1: start the zygote, then wait for whatever ends."""
        worker = os.fork()
        if worker == 0:
            os.close(self._lifeline)
            os.setsid()
            try:
                confine(may_make_namespaces=True)
                python = f"{sandbox.ENVIRONMENT}/bin/python"
                _become_zygote(self._sock.fileno(), self._start, python, sandbox.LIBRARY)
            except OSError as error:
                self._refuse(error)
        kernel.hide_memory()
        kernel.drop_capabilities()
        Keeper(worker, self._sock, self._lifeline).run()

    def _refuse(self, error: OSError) -> NoReturn:
        what = f"{error.filename}: " if error.filename else ""
        failure = DeployFailed(
            f"This machine does not let the gateway isolate the app: {what}{error.strerror or error}",
            code="sandbox_unavailable",
            hint=_HINT,
        )
        self._sock.sendall(frames.encode(broken(failure)))
        os._exit(1)


def _become_zygote(link: int, start: frames.Start, python: str, library: str) -> NoReturn:
    """Become the process that imports the app, in its sandbox if there is one. ``library``: where this package lies."""
    is_boxed = start.isolation == "namespaces"
    os.set_inheritable(link, True)
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    locale = {name: value for name, value in os.environ.items() if name.startswith("LC_")}
    environment = {**kept, **locale, "HOME": sandbox.HOME if is_boxed else os.environ.get("HOME", "/")}
    environment["PATH"] = f"{os.path.dirname(python)}:{kept.get('PATH', os.defpath)}"
    environment["PYTHONPATH"] = library
    environment |= dict.fromkeys(_THREADS, str(max(1, round(start.cpu))))
    code = sandbox.CODE if is_boxed else start.code_dir
    argv = [python, "-P", "-B", "-m", "cpsl.runtime", "--zygote", "--fd", str(link), "--code", code]
    os.execve(python, argv, environment)  # noqa: S606 - it replaces this process, without a shell


def _without_a_box(image: str) -> tuple[str, str]:
    """The Python of an image, else the gateway's own; and where the gateway's own finds this package."""
    own = f"{image}/venv/bin/python"
    python = own if image and os.path.exists(own) else sys.executable
    packages = (Path(__file__).parents[2], Path(msgspec.__file__).parents[1])
    return python, os.pathsep.join(dict.fromkeys(str(folder) for folder in packages))


def _without_sandbox(start: frames.Start) -> None:
    if start.isolation != "none":
        raise DeployFailed(f"There is no isolation called {start.isolation!r}", code="sandbox_unavailable")
    if start.mounts:
        raise DeployFailed(
            f"A filesystem cannot be mounted at {start.mounts[0].path} without isolation",
            code="sandbox_unavailable",
            hint="Start the gateway without --isolation none, or take the filesystems out of the app.",
        )
    try:
        os.chdir(start.code_dir)
    except OSError as error:
        raise DeployFailed(f"The app's code is missing: {error.strerror}", code="code_missing") from error


def _wait_for_all() -> int:
    """Reap until no descendant is left; the status of the last one."""
    status = 0
    while True:
        try:
            _, ended = os.wait()
        except ChildProcessError:
            return status
        status = exit_status(ended)


def _leave(message: str) -> NoReturn:
    os.write(2, message.encode())
    os._exit(2)
