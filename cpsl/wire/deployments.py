"""What became of a deploy, to be asked for when nobody listened."""

from __future__ import annotations

from typing import Literal

import msgspec

from cpsl.wire.apps import DeployError

DeploymentState = Literal["running", "done", "failed"]


class Deployment(msgspec.Struct, omit_defaults=False):
    """``GET /deploys/{id}``: one deploy.

    ``version`` and ``url`` are those it made, 0 and empty unless it is done; ``error`` says why it failed. ``app`` is
    empty when it failed before its name was known.
    """

    deployment_id: str
    app: str
    state: DeploymentState
    entry: str
    created_at: float
    ended_at: float | None = None
    version: int = 0
    url: str = ""
    error: DeployError | None = None


class DeploymentList(msgspec.Struct):
    """``GET /apps/{app}/deploys``: newest first."""

    deploys: list[Deployment]
