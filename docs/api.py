"""``docs/api.md``: every public name with its signature and docstring, read from the code."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import cpsl
import cpsl.testing
from cpsl import errors
from cpsl.client import nouns

TALKING = ("Client", "AsyncClient", "ChatResponse", "StreamChunk", "Upload", "Timeout")
NOUNS = ("Apps", "Channels", "Connections", "Deploys", "FileSystems", "Secrets", "Sessions", "Tokens", "Turns", "Users")


def page() -> str:
    """The whole page."""
    making = [name for name in cpsl.__all__ if name not in TALKING and not _is_error(name) and name != "__version__"]
    parts = [
        "# API\n",
        "Made of the code by `python -m docs`. Everything is imported from `cpsl`; errors: [errors.md](errors.md).\n",
        "## Talking to apps\n",
        *(_entry(name, getattr(cpsl, name), members=name != "AsyncClient") for name in TALKING),
        "`AsyncClient` has the same methods; what returns is awaited, what yields is iterated with `async for`.\n",
        *(_noun(name) for name in NOUNS),
        "## Making apps\n",
        *(_entry(name, getattr(cpsl, name)) for name in making),
        "## Testing apps\n",
        "How to use it: [testing.md](testing.md).\n",
        _entry("cpsl.testing.Gateway", cpsl.testing.Gateway),
    ]
    return "\n".join(parts)


def _is_error(name: str) -> bool:
    return name in vars(errors)


def _noun(name: str) -> str:
    return _entry(f"client.{name.lower()}", getattr(nouns, name), head=False)


def _entry(name: str, value: object, *, members: bool = True, head: bool = True) -> str:
    parts = [f"### {name}\n"]
    if head and callable(value):
        parts.append(f"```python\n{_call(name.rpartition('.')[2], value)}\n```\n")
    parts.append(f"{_described(value)}\n")
    if inspect.isclass(value) and members:
        parts += _members(value, name)
    return "\n".join(parts)


def _members(kind: type, name: str) -> Iterator[str]:
    for member, value in vars(kind).items():
        if member.startswith("_") or not inspect.getdoc(value):
            continue
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        if inspect.isfunction(value):
            yield f"#### {_call(f'{name}.{member}', value)}\n\n{_described(value)}\n"
        elif isinstance(value, property):
            yield f"#### {name}.{member}\n\n{_described(value)}\n"


def _described(value: object) -> str:
    """A docstring as Markdown: double backticks are single ones there, and examples are code."""
    lines, is_code = list[str](), False
    for line in (inspect.getdoc(value) or "").replace("``", "`").splitlines():
        if line.startswith(">>> ") and not is_code:
            lines, is_code = [*lines, "```python"], True
        elif not line and is_code:
            lines, is_code = [*lines, "```"], False
        lines.append(line)
    return "\n".join([*lines, "```"] if is_code else lines)


def _call(name: str, value: object) -> str:
    """``name(parameters) -> result``, with annotations as they are written."""
    assert callable(value)
    try:
        signature = inspect.signature(value)
    except ValueError:
        return name
    parts, before = list[str](), ""
    for each in signature.parameters.values():
        if each.name in ("self", "cls"):
            continue
        kind = each.kind.name
        if before == "POSITIONAL_ONLY" != kind:
            parts.append("/")
        if kind == "KEYWORD_ONLY" and before not in (kind, "VAR_POSITIONAL"):
            parts.append("*")
        parts.append(_parameter(each))
        before = kind
    told = signature.return_annotation
    result = "" if inspect.isclass(value) or told in ("None", None) else f" -> {_type(told)}"
    return f"{name}({', '.join(parts)}){result}"


def _parameter(each: inspect.Parameter) -> str:
    stars = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
    text = f"{stars}{each.name}"
    if each.annotation is not each.empty:
        text += f": {_type(each.annotation)}"
    if each.default is not each.empty:
        default = repr(each.default) if isinstance(each.default, str | int | float | tuple | None) else "…"
        text += f" = {default}" if each.annotation is not each.empty else f"={default}"
    return text


def _type(annotation: object) -> str:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return text.replace("_list[", "list[")
