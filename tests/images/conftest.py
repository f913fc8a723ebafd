from __future__ import annotations

import asyncio
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cpsl.engine.local.images import BuildLimits, Images
from cpsl.errors import DeployFailed
from cpsl.wire.apps import ImageSpec

INSIDE = Path(__file__).with_name("inside.py")


def wheel(folder: Path, version: str, *, name: str = "tiny") -> Path:
    """A package with a module and a program, both of which say the version."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n\n\ndef main():\n    print({name!r}, VERSION)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, content in files.items():
            archive.writestr(inner, content)
    return path


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which the gateway installs packages: ``tiny`` 1.0 and 2.0."""
    folder = tmp_path / "wheels, with a comma: and a colon"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        wheel(folder, version)
    monkeypatch.setenv("UV_FIND_LINKS", folder.as_uri())
    return folder


@pytest.fixture(scope="session")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> None:
    images = Images(tmp_path_factory.mktemp("probe"))
    try:
        asyncio.run(images.build(ImageSpec(commands=["true"]), print))
    except DeployFailed as error:
        if error.code == "sandbox_unavailable":
            pytest.skip(error.message)
        raise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data dir" / "images: a, b"


@pytest.fixture
def images(folder: Path, isolated: None) -> Images:
    return Images(folder, BuildLimits(seconds=60))


Build = Callable[..., Path]


@pytest.fixture
def build(images: Images) -> Build:
    """Build an image from the parts of its recipe."""

    def make(**parts: list[str]) -> Path:
        path = asyncio.run(images.build(ImageSpec(**parts), print))
        assert path is not None
        return path

    return make


def inside(image: Path, command: str) -> str:
    """What a command prints where an app with this image would run."""
    done = subprocess.run([sys.executable, INSIDE, image, command], capture_output=True, text=True)
    return done.stdout + done.stderr
