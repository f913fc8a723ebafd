"""Prompts of an app, answered at the terminal: a form field by field, a file by its path."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING

from capsule_cli import ask, hidden, output, transfer
from capsule_cli.errors import UsageError
from cpsl.errors import CapsuleError, Conflict, InvalidRequest
from cpsl.wire.events import Prompt, PromptField

if TYPE_CHECKING:
    from cpsl.client import Client


def answer(client: Client, request_id: str, prompt: Prompt) -> None:
    """Ask the person and send what they say; Ctrl-D (or no path for a file) declines.

    A refusal by the gateway is shown and asked about again. Raises KeyboardInterrupt at Ctrl-C.
    """
    ways = {"form": _form, "file": _file}
    if prompt.kind not in ways:
        return
    while True:
        try:
            return ways[prompt.kind](client, request_id, prompt)
        except EOFError:
            output.say()
            return _decline(client, request_id, prompt)
        except Conflict as closed:
            return output.whisper(closed.message)  # expired, or answered somewhere else
        except (InvalidRequest, OSError) as refused:
            output.say(_reason(refused))


def _form(client: Client, request_id: str, prompt: Prompt) -> None:
    output.whisper("  (Ctrl-D declines)")
    values = {field.name: _field(field) for field in prompt.fields}
    client.turns.answer(request_id, prompt.prompt_id, {name: value for name, value in values.items() if value})


def _field(field: PromptField) -> str:
    label = output.clean(field.label or field.name)
    while True:
        prompt = f"  {label}{' (hidden)' if field.secret else ''}: "
        value = (hidden.line(prompt, "Paste it as one line.") if field.secret else ask.line(prompt)).strip()
        if value or not field.required:
            return value
        output.say(f"  {label} is needed.")


def _file(client: Client, request_id: str, prompt: Prompt) -> None:
    wanted = f" ({prompt.accept})" if prompt.accept else ""
    typed = ask.line(f"  Path of the file{output.clean(wanted)}, empty to decline: ").strip()
    if not typed:
        return _decline(client, request_id, prompt)
    path = Path(unquoted(typed)).expanduser()
    with transfer.open_source(str(path)) as source:
        if prompt.max_bytes and source.size and source.size > prompt.max_bytes:
            raise UsageError(f"{path.name} has {output.size(source.size)}; at most {output.size(prompt.max_bytes)}")
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        client.turns.upload(request_id, prompt.prompt_id, path.name, source.read(), kind)


def _decline(client: Client, request_id: str, prompt: Prompt) -> None:
    try:
        client.turns.decline(request_id, prompt.prompt_id)
    except Conflict as closed:
        output.whisper(closed.message)


def unquoted(path: str) -> str:
    """A path as a terminal pastes it when a file is dropped on it."""
    if len(path) > 1 and path[0] == path[-1] and path[0] in "'\"":
        return path[1:-1]
    return path if Path(path).expanduser().exists() else path.replace("\\ ", " ")


def _reason(error: CapsuleError | OSError) -> str:
    if isinstance(error, CapsuleError):
        return f"  {error.message}" + (f" {error.hint}" if error.hint else "")
    return f"  {error.strerror}: {error.filename}"
