"""``python -m cpsl.runtime``: ``--launch``, ``--zygote`` and ``--build`` for an engine, ``--describe`` for a deploy."""

from __future__ import annotations

import argparse
import os
import sys


def main() -> int:
    """Run what the arguments say; returns the exit status."""
    given = _arguments()
    _forget_working_folder()
    if given.describe is not None:
        from cpsl.runtime.describe import describe

        return describe(given.describe, given.out_fd)
    if given.build:
        from cpsl.runtime.build import build

        return build(given.out_fd)
    if given.launch:
        from cpsl.runtime.launch import launch

        launch(given.fd, given.lifeline)
    from cpsl.runtime.zygote import serve

    serve(given.fd, given.code)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cpsl.runtime")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--launch", action="store_true", help="make the sandbox of a version and start its zygote in it")
    what.add_argument("--zygote", action="store_true", help="import the app and fork runtimes")
    what.add_argument("--describe", metavar="FILE.py:SYMBOL", help="write what the app declares, as JSON")
    what.add_argument("--build", action="store_true", help="build an image from the plan on stdin")
    parser.add_argument("--fd", type=int, help="file descriptor of the socket to the host")
    parser.add_argument("--lifeline", type=int, help="file descriptor that hangs up when the host is gone")
    parser.add_argument("--code", help="folder of the app's code")
    parser.add_argument("--out-fd", type=int, default=1, help="where --describe and --build write")
    return parser.parse_args()


def _forget_working_folder() -> None:
    """``-m`` puts the folder that it was started in on ``sys.path``; it is not the app's, and not for it to see."""
    if not sys.flags.safe_path and sys.path and sys.path[0] == os.getcwd():
        del sys.path[0]


if __name__ == "__main__":
    sys.exit(main())
