"""The profiles on this machine, and which of them is in use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpsl.config import Profile


def known() -> Mapping[str, Profile]:
    """All profiles, by name. Raises ConfigError."""
    from cpsl import config

    return config.load().profiles


def active() -> str:
    """The name of the one in use, whether or not it exists. Raises ConfigError."""
    from cpsl import config

    return os.environ.get("CAPSULE_PROFILE") or config.load().active or config.DEFAULT_PROFILE
