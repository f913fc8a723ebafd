"""Where ``capsule`` begins: fast paths for ``--version`` and completions, the parser behind the error boundary."""

from __future__ import annotations

import io
import os
import sys


def main() -> int:
    """Run the command line in ``sys.argv`` and return the exit code. Never raises."""
    _open_what_is_closed()
    _let_talk_get_lost()
    code = 0
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _stop_writing(0)  # ``capsule app list | head -1``: not our failure
    except OSError as error:
        if code:
            return _stop_writing(code)  # what is still in the buffer is what the command failed to write, and said so
        from capsule_cli import errors

        errors.show(error, as_json=False)
        return _stop_writing(1)
    return code


def _run(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        return _print_version()
    if arguments[:1] == ["__complete"]:
        from capsule_cli.completion.names import main as complete

        return complete(arguments[1:])
    from capsule_cli.boundary import run

    return run(arguments)


def _open_what_is_closed() -> None:
    """After ``capsule … >&-`` nothing is there to write to: what is written is lost, and nothing fails.

    Opened in this order each gets its own number, which would otherwise go to a file or a connection.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  (open until the end)


class _Lossy(io.FileIO):
    """A file that takes what it cannot write for written."""

    def write(self, content: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(content)
        except OSError:
            return len(content)


def _let_talk_get_lost() -> None:
    """Talk that cannot be written, on a full disk or to nobody, neither stops a command nor changes its exit code."""
    old = sys.stderr
    if old is sys.__stderr__ and isinstance(old, io.TextIOWrapper):
        raw = _Lossy(old.fileno(), "w", closefd=False)
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(raw), old.encoding, old.errors, write_through=True)


def _print_version() -> int:
    from cpsl._version import __version__

    print(f"capsule {__version__}")
    return 0


def _stop_writing(code: int) -> int:
    """``code``, once the rest of what was printed goes nowhere: Python would complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
