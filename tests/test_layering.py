"""Who may import whom (design §3). Everything under ``cpsl`` is silent: it neither prints nor exits."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "cpsl.errors": set(),
    "cpsl.wire": {"cpsl.errors"},
    "cpsl.bundle": {"cpsl.errors", "cpsl.wire"},
    "cpsl.private_files": {"cpsl.errors"},
    "cpsl.config": {"cpsl.errors", "cpsl.private_files"},
    "cpsl.auth": {"cpsl.errors", "cpsl.wire", "cpsl.private_files", "cpsl.config"},
    "cpsl.client": {"cpsl.errors", "cpsl.wire", "cpsl.bundle", "cpsl.config", "cpsl.auth"},
    "cpsl.app": {"cpsl.errors", "cpsl.wire"},
    "cpsl.runtime": {"cpsl.errors", "cpsl.wire", "cpsl.app"},
    "cpsl.testing": {"cpsl.errors", "cpsl.wire", "cpsl.client", "cpsl.app", "cpsl.runtime"},
    "cpsl.engine": {"cpsl.errors", "cpsl.wire"},
    "cpsl.gateway": {
        "cpsl.errors",
        "cpsl.wire",
        "cpsl.private_files",
        "cpsl.config",
        "cpsl.auth",
        "cpsl.bundle",
        "cpsl.engine",
    },
    "capsule_cli": {
        "cpsl.errors",
        "cpsl.wire",
        "cpsl.private_files",
        "cpsl.config",
        "cpsl.auth",
        "cpsl.bundle",
        "cpsl.client",
    },
}
EVERYWHERE = {"cpsl._version"}
GATEWAY_ONLY = {"litestar", "uvicorn", "uvloop", "sqlalchemy", "alembic", "cryptography", "jinja2", "authlib"}
CLIENT_ONLY = {"httpx", "httpx_sse", "keyring", "typer", "rich", "prompt_toolkit"}


def modules(package: str) -> Iterator[Path]:
    path = ROOT / package.replace(".", "/")
    found = [path.with_suffix(".py")] if path.with_suffix(".py").exists() else path.rglob("*.py")
    yield from (each for each in found if "templates" not in each.parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "cpsl" else []
            yield from ((name, node.lineno) for name in names or [str(node.module)])


def part_of(name: str) -> str:
    return ".".join(name.split(".")[:2]) if name.startswith("cpsl.") else name.split(".")[0]


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_what_its_row_names(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for name, line in imports(path)
        if name.startswith(("cpsl", "capsule_cli"))
        and part_of(name) not in {package, *ALLOWED[package], *EVERYWHERE}
        and not (package == "capsule_cli" and path.name == "gateway.py" and part_of(name) == "cpsl.gateway")
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("package", "foreign"),
    [
        ("cpsl.errors", GATEWAY_ONLY | CLIENT_ONLY | {"msgspec"}),
        ("cpsl.wire", GATEWAY_ONLY | CLIENT_ONLY),
        ("cpsl.client", GATEWAY_ONLY | {"typer", "rich", "prompt_toolkit"}),
        ("cpsl.app", GATEWAY_ONLY | CLIENT_ONLY),
        ("cpsl.testing", GATEWAY_ONLY | (CLIENT_ONLY - {"httpx"})),
        ("cpsl.runtime", GATEWAY_ONLY | CLIENT_ONLY),
        ("cpsl.engine", GATEWAY_ONLY | CLIENT_ONLY),
        ("cpsl.gateway", CLIENT_ONLY - {"keyring", "httpx"}),  # Authlib speaks to providers through httpx
    ],
)
def test_dependencies_stay_where_they_belong(package: str, foreign: set[str]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for name, line in imports(path)
        if name.split(".")[0] in foreign
    ]
    assert wrong == []


def test_the_library_is_silent() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "cpsl").rglob("*.py")
        if path.name != "__main__.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input", "exit")
    ]
    assert wrong == []


def test_the_gateways_subjects_point_one_way() -> None:
    order = ["accounts", "users", "secrets", "files", "channels", "apps", "integrations", "collections", "chats"]
    order += ["people", "gateway", "request", "asking", "web"]  # pages are made of all that there is
    below = {"bell", "db", "http", "vault", "settings", "keys"}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in (ROOT / "cpsl" / "gateway").rglob("*.py")
        if (subject := path.relative_to(ROOT / "cpsl" / "gateway").parts[0]) in order and path.name != "routes.py"
        for name, line in imports(path)
        if name.startswith("cpsl.gateway.")
        and (target := name.split(".")[2]) not in below
        and order.index(target) > order.index(subject)
    ]
    assert wrong == []
