"""What the engine tells the process that builds an image, and what that process answers."""

from __future__ import annotations

import msgspec

VENV = "/opt/capsule/venv"
"""Where an image's Python environment lies inside, while it is built and while it is used."""


class BuildBind(msgspec.Struct, frozen=True):
    """What lies at ``source`` on this machine can be read at ``target`` inside. ``source`` has no links on its way."""

    source: str
    target: str


class BuildStep(msgspec.Struct, frozen=True):
    """One program to run inside. ``title`` stands above its output."""

    title: str
    argv: list[str]


class BuildPlan(msgspec.Struct, frozen=True):
    """One build. ``folder`` becomes the image; ``packages`` are Debian archives in it, to unpack before the steps.

    The steps run one after another with ``environment`` and nothing else in it, each process with at most
    ``memory_bytes`` of data, at most ``processes`` at once. ``changes_system``: the image has more
    than a Python environment; ``has_commands``: steps write to ``/usr``, ``/etc`` … wherever they like. The build ends
    when the process ``parent`` does.
    """

    parent: int

    folder: str
    packages: list[str]
    binds: list[BuildBind]
    steps: list[BuildStep]
    environment: dict[str, str]
    memory_bytes: int
    processes: int
    changes_system: bool
    has_commands: bool


class BuildEnded(msgspec.Struct, omit_defaults=True, frozen=True):
    """How it went. ``step`` is the number of the step that failed, from 0, or -1 for what lies around the steps.

    ``status`` is as in ``subprocess``: an exit status, or the negative number of a signal. ``problem`` says what failed
    where no step did, and ``is_refused`` that the kernel did not let the steps be isolated.
    """

    is_done: bool = False
    step: int = -1
    status: int = 0
    problem: str = ""
    is_refused: bool = False
