"""Where ``capsule`` begins: fast paths for ``--version`` and completions, the parser behind the error boundary."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line in ``sys.argv`` and return the exit code. Never raises."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        return _print_version()
    if arguments[:1] == ["__complete"]:
        from capsule_cli.completion.names import main as complete

        return complete(arguments[1:])
    try:
        from capsule_cli.boundary import run

        code = run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _reader_is_gone()
    return code


def _print_version() -> int:
    from cpsl._version import __version__

    print(f"capsule {__version__}")
    return 0


def _reader_is_gone() -> int:
    """``capsule app list | head -1``: not our failure. Python would complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
