"""``python -m cpsl.runtime --fd N``, ``--describe FILE.py:SYMBOL [--out-fd N]`` or ``--build --out-fd N``."""

from __future__ import annotations

import argparse
import os
import sys


def main() -> int:
    """Run what the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cpsl.runtime")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--fd", type=int, help="file descriptor of the socket to the host")
    what.add_argument("--describe", metavar="FILE.py:SYMBOL", help="write what the app declares, as JSON")
    what.add_argument("--build", action="store_true", help="build an image from the plan on stdin")
    parser.add_argument("--out-fd", type=int, default=1, help="where --describe and --build write")
    arguments = parser.parse_args()
    _forget_working_folder()
    if arguments.describe is not None:
        from cpsl.runtime.describe import describe

        return describe(arguments.describe, arguments.out_fd)
    if arguments.build:
        from cpsl.runtime.build import build

        return build(arguments.out_fd)
    from cpsl.runtime.process import serve

    serve(arguments.fd)


def _forget_working_folder() -> None:
    """``-m`` puts the folder that it was started in on ``sys.path``; it is not the app's, and not for it to see."""
    if not sys.flags.safe_path and sys.path and sys.path[0] == os.getcwd():
        del sys.path[0]


if __name__ == "__main__":
    sys.exit(main())
