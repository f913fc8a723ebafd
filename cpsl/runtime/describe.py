"""``--describe``: import an app and write what it declares, for a deploy that checks before it sends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from cpsl.errors import DeployFailed
from cpsl.runtime import placeholders
from cpsl.runtime.load import load_app
from cpsl.wire.frames import Broken


def describe(entry: str, descriptor: int) -> int:
    """Write the spec of ``entry`` (below the working folder) to ``descriptor`` as JSON; returns the exit status.

    What the app prints meanwhile goes to stderr. A failure is written as one ``Broken``, with status 1.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who asked gets it too, and says what there is to say
    out = os.dup(descriptor)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    sys.dont_write_bytecode = True
    placeholders.install()
    try:
        told: object = load_app(entry, Path.cwd()).spec()
    except DeployFailed as error:
        told = broken(error)
    sys.stderr.flush()
    with os.fdopen(out, "wb") as file:
        file.write(msgspec.json.encode(told) + b"\n")
    return 1 if isinstance(told, Broken) else 0


def broken(error: DeployFailed) -> Broken:
    """The failure as it travels."""
    return Broken(error.code, error.message, error.traceback, error.hint)
