"""Asking the user for something and waiting: integrations and files."""

from __future__ import annotations

import math

import msgspec

from cpsl.app.bridge import Bridge
from cpsl.app.files import FileUpload
from cpsl.app.integrations import IntegrationCredentials
from cpsl.app.invalid import invalid
from cpsl.errors import FileUploadTimeout, IntegrationDeclined, IntegrationTimeout
from cpsl.wire.frames import OpenPrompt, PromptResult
from cpsl.wire.integrations import title

TIMEOUT_SECONDS = 300.0
"""How long a prompt waits, unless the app says otherwise."""


async def ask_integration(
    bridge: Bridge, request_id: str, name: str, *, form: bool, message: str, timeout: float, refused: str = ""
) -> IntegrationCredentials:
    """Ask the turn's user to connect ``name``. Raises IntegrationTimeout and IntegrationDeclined."""
    kind = "form" if form else "integration"
    question = OpenPrompt(request_id, kind, _seconds(timeout), message=message, integration=name, refused=refused)
    result = await _ask(bridge, question)
    if result.outcome == "answered" and result.credentials is not None:
        return IntegrationCredentials.of(result.credentials)
    if result.outcome == "expired":
        raise IntegrationTimeout(f"{title(name)} was not connected in time")
    raise IntegrationDeclined(f"{title(name)} was not connected")


async def ask_file(
    bridge: Bridge, request_id: str, *, message: str, accept: str, folder: str, timeout: float
) -> FileUpload:
    """Ask the turn's user for a file; ``folder`` is absolute, or empty. Raises FileUploadTimeout."""
    question = OpenPrompt(request_id, "file", _seconds(timeout), message=message, accept=accept, path=folder)
    result = await _ask(bridge, question)
    if result.outcome == "expired":
        raise FileUploadTimeout("No file was uploaded in time")
    if result.file is None:
        raise FileUploadTimeout("No file was uploaded", code="file_upload_declined")
    upload = FileUpload(result.file, bridge)
    if folder and upload.path is None:  # no mount of the app: the gateway cannot have put it there
        await upload.download_into(folder)
    return upload


async def _ask(bridge: Bridge, question: OpenPrompt) -> PromptResult:
    return msgspec.convert(await bridge.ask(question), PromptResult)


def _seconds(timeout: float) -> float:
    if isinstance(timeout, (int, float)) and math.isfinite(timeout) and timeout > 0:
        return float(timeout)
    raise invalid(f"timeout cannot be {timeout!r}", "Use a number of seconds above 0, like 300", "invalid_timeout")
