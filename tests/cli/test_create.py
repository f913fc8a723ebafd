"""Projects from templates: whole or not at all, and never over what is there."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize("template", ["default", "integrations"])
def test_a_project_is_created(capsule: Run, tmp_path: Path, template: str) -> None:
    done = capsule("create", "My App_2", "--template", template)
    assert done.returncode == 0
    assert done.stdout == "My App_2\n"
    folder = tmp_path / "work" / "My App_2"
    assert sorted(file.name for file in folder.iterdir()) == [".gitignore", "README.md", "app.py"]
    source = (folder / "app.py").read_text()
    ast.parse(source)
    assert 'name="my-app-2"' in source
    assert "{{" not in source + (folder / "README.md").read_text()
    assert [file.name for file in (tmp_path / "work").iterdir()] == ["My App_2"]


def test_json(capsule: Run) -> None:
    told = json.loads(capsule("create", "x", "--json").stdout)
    assert told["app"] == "x"
    assert "app.py" in told["files"]


def test_what_is_there_stays(capsule: Run, tmp_path: Path) -> None:
    folder = tmp_path / "work" / "x"
    folder.mkdir()
    (folder / "app.py").write_text("mine")
    (folder / "notes").write_text("mine too")
    refused = capsule("create", "x")
    assert refused.returncode == 5
    assert (folder / "app.py").read_text() == "mine"
    assert capsule("create", "x", "--force").returncode == 0
    assert "cpsl.App" in (folder / "app.py").read_text()
    assert (folder / "notes").read_text() == "mine too"


def test_an_empty_folder_is_filled(capsule: Run, tmp_path: Path) -> None:
    (tmp_path / "work" / "x").mkdir()
    assert capsule("create", "x").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["x", "--template", "nix"], 3, "default, integrations"),
        (["!!!"], 2, "cannot name"),
        (["a/b/"], 0, "Created b"),
    ],
)
def test_names(capsule: Run, arguments: list[str], code: int, told: str) -> None:
    done = capsule("create", *arguments)
    assert done.returncode == code
    assert told in done.stderr


def test_the_next_step_can_be_pasted_into_a_shell(capsule: Run, tmp_path: Path) -> None:
    done = capsule("create", "it's ü")
    step = done.stderr.partition("Next: ")[2].partition(" && ")[0]
    shell = subprocess.run(
        ["sh", "-c", f"{step} && pwd"], cwd=tmp_path / "work", capture_output=True, text=True, check=True
    )
    assert shell.stdout == f"{tmp_path / 'work'}/it's ü\n"
