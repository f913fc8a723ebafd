"""From ``FILE.py:SYMBOL`` to the app, as ``python FILE.py`` would find it: the file's folder first on ``sys.path``."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path, PurePosixPath
from types import ModuleType

from cpsl.app.app import App
from cpsl.errors import CapsuleError, DeployFailed
from cpsl.runtime.tracebacks import own_traceback

_EXAMPLE = "Name the file and the App in it, like app.py:app."


def load_app(entry: str, root: Path) -> App:
    """Import the file of ``entry`` below the folder ``root`` and return its app.

    Raises DeployFailed with code ``invalid_entry_point``, ``import_failed`` (with the app's own traceback),
    ``symbol_missing`` or ``not_an_app``.
    """
    file, symbol = _parse(entry, root)
    module = _execute(file)
    return _find(module, symbol, file.name)


def _parse(entry: str, root: Path) -> tuple[Path, str]:
    name, colon, symbol = entry.rpartition(":")
    path = PurePosixPath(name)
    if not colon or path.suffix != ".py" or not symbol.isidentifier():
        raise DeployFailed(f"{entry!r} is no entry point", code="invalid_entry_point", hint=_EXAMPLE)
    if path.is_absolute() or ".." in path.parts:
        hint = "Use a path below the project's folder."
        raise DeployFailed(f"{name} is not in the project", code="invalid_entry_point", hint=hint)
    file = root / path
    if not file.is_file():
        raise DeployFailed(f"There is no file {name}", code="invalid_entry_point", hint=_EXAMPLE)
    return file, symbol


def _execute(file: Path) -> ModuleType:
    name = file.stem if file.stem.isidentifier() and file.stem not in sys.modules else "capsule_app_file"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise DeployFailed(f"{file.name} is no Python file", code="invalid_entry_point", hint=_EXAMPLE)
    module = module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise _import_failed(file.name, error) from error
    return module


def _import_failed(name: str, error: BaseException) -> DeployFailed:
    return DeployFailed(
        f"{name} could not be imported: {type(error).__name__}: {error}",
        code="import_failed",
        hint=_mending(error),
        traceback=own_traceback(error),
    )


def _mending(error: BaseException) -> str | None:
    if isinstance(error, CapsuleError):
        return error.hint
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f'If {error.name} is a package, name it in the app: image=cpsl.Image(python_packages=["{error.name}"])'
    if isinstance(error, ImportError) and "no known parent package" in str(error):
        return "The folder of the file is the top of the project: import what is beside it without the dots."
    return None


def _find(module: ModuleType, symbol: str, file_name: str) -> App:
    found = getattr(module, symbol, None)
    if isinstance(found, App):
        return found
    apps = [name for name, value in vars(module).items() if isinstance(value, App)]
    hint = f"Use {file_name}:{apps[0]}." if apps else 'Define one: app = cpsl.App(name="my-app").'
    if not hasattr(module, symbol):
        raise DeployFailed(f"{file_name} defines no {symbol!r}", code="symbol_missing", hint=hint)
    kind = type(found).__name__
    raise DeployFailed(f"{symbol!r} in {file_name} is {kind}, not a cpsl.App", code="not_an_app", hint=hint)
