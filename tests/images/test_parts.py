"""What a build is made of: the name of a recipe, what it sees of the machine, its output, unpacked packages."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cpsl.engine.local.images.output import READ_LIMIT, Output
from cpsl.engine.local.images.recipe import digest, recipe
from cpsl.engine.local.images.surroundings import Surroundings, find_uv
from cpsl.errors import DeployFailed
from cpsl.runtime.unpack import unpack
from cpsl.wire.apps import ImageSpec


def test_the_name_of_an_image_is_its_recipe() -> None:
    specs = [
        ImageSpec(python_packages=["hello"]),
        ImageSpec(apt_packages=["hello"]),
        ImageSpec(commands=["hello"]),
        ImageSpec(python_packages=["hello", "six"]),
        ImageSpec(python_packages=["hello six"]),
        ImageSpec(python_packages=["hello"], commands=["true"]),
        ImageSpec(apt_packages=["hello=2.10-3", "libc6:amd64"]),
    ]
    names = [digest(recipe(spec)) for spec in specs]
    assert len(set(names)) == len(specs)
    assert names == [digest(recipe(spec)) for spec in specs]
    assert all(name.startswith("img_") and len(name) == 36 for name in names)


def test_python_packages_do_not_depend_on_the_release_of_the_system() -> None:
    assert recipe(ImageSpec(python_packages=["six"])).system == ""
    assert recipe(ImageSpec(apt_packages=["hello"])).system != ""
    assert sys.version.split()[0] in recipe(ImageSpec(commands=["true"])).python


@pytest.mark.parametrize(
    ("given", "inside"),
    [
        ({"http_proxy": "http://p:1", "NO_PROXY": "localhost"}, {"http_proxy": "http://p:1", "NO_PROXY": "localhost"}),
        ({"PIP_INDEX_URL": "https://a/simple"}, {"UV_DEFAULT_INDEX": "https://a/simple"}),
        (
            {"PIP_INDEX_URL": "https://a/simple", "UV_DEFAULT_INDEX": "https://b/simple"},
            {"UV_DEFAULT_INDEX": "https://b/simple"},
        ),
        ({"PIP_EXTRA_INDEX_URL": "https://a/s https://b/s"}, {"UV_EXTRA_INDEX_URL": "https://a/s https://b/s"}),
        ({"PIP_FIND_LINKS": "https://a/l {folder}"}, {"UV_FIND_LINKS": "https://a/l,/run/build/place{n}"}),
        ({"UV_FIND_LINKS": "{folder}"}, {"UV_FIND_LINKS": "/run/build/place{n}"}),
        ({"UV_DEFAULT_INDEX": "file://{folder}"}, {"UV_DEFAULT_INDEX": "file:///run/build/place{n}"}),
        ({"UV_INDEX": "own=file://{folder}"}, {"UV_INDEX": "own=file:///run/build/place{n}"}),
        ({"PIP_CERT": "{file}"}, {"SSL_CERT_FILE": "/run/build/certificates.pem"}),
        ({"REQUESTS_CA_BUNDLE": "{file}"}, {"SSL_CERT_FILE": "/run/build/certificates.pem"}),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, {}),
        ({"UV_INDEX_OWN_PASSWORD": "p"}, {"UV_INDEX_OWN_PASSWORD": "p"}),
        ({"UV_CACHE_DIR": "/x", "UV_PYTHON": "3.9", "UV_CONFIG_FILE": "/y", "UV_PUBLISH_TOKEN": "t"}, {}),
        ({"HOME": "/root", "PATH": "/x", "OPENAI_API_KEY": "sk", "LD_PRELOAD": "/x.so", "PYTHONPATH": "/x"}, {}),
    ],
)
def test_what_a_build_takes_over_of_the_environment(
    tmp_path: Path, given: dict[str, str], inside: dict[str, str]
) -> None:
    (tmp_path / "ca.pem").touch()
    places = {"folder": str(tmp_path), "file": str(tmp_path / "ca.pem"), "n": str(len(Surroundings({}).binds))}
    seen = Surroundings({name: value.format(**places) for name, value in given.items()})
    added = {name: value for name, value in seen.environment.items() if Surroundings({}).environment.get(name) != value}
    wanted = {name: value.format(**places) for name, value in inside.items()}
    assert {**added, **wanted} == added
    assert set(added) - set(wanted) <= {"PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"}
    shown = {bind.source for bind in seen.binds} - {bind.source for bind in Surroundings({}).binds}
    assert shown == (
        {str(tmp_path)} if "place{n}" in str(inside) else {places["file"]} if "{file}" in str(given) else set()
    )


def test_uv_comes_with_the_gateway() -> None:
    assert os.access(find_uv(), os.X_OK)


def test_output_is_kept_in_bounds_and_passed_on() -> None:
    async def go() -> None:
        reader = asyncio.StreamReader(limit=READ_LIMIT)
        reader.feed_data(b"one\r\n" + b"x" * 10_000 + b"\n10%\r50%\r100%\n\xff\nlast")
        reader.feed_eof()
        output, lines = Output(), list[str]()
        output.listen(lines.append)
        await output.read(reader)
        assert (lines[0], lines[-3:]) == ("one", ["100%", "\ufffd", "last"])
        assert sum(line.count("x") for line in lines) == 10_000
        assert max(map(len, lines)) == 4096
        late: list[str] = []
        output.listen(late.append)
        assert late == lines
        for number in range(30_000):
            output.add(str(number))
        assert len(output.lines) == 20_001
        assert output.lines[-1] == "(the rest of the output is left out)"
        assert output.last.endswith("29999")
        assert len(late) == 20_001

    asyncio.run(go())


def test_a_build_that_prints_without_end_costs_little() -> None:
    async def go() -> None:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", "yes | head -c 5000000; echo the end"), stdout=subprocess.PIPE, limit=READ_LIMIT
        )
        assert process.stdout is not None
        output = Output()
        await output.read(process.stdout)
        await process.wait()
        assert len(output.text) < 50_000
        assert output.last.endswith("y\nthe end")

    asyncio.run(go())


# --- Debian archives --------------------------------------------------------------------------------------------------


@pytest.fixture
def deb(tmp_path: Path) -> Path:
    if not shutil.which("dpkg-deb"):
        pytest.skip("no dpkg-deb here")
    return tmp_path


def package(folder: Path, name: str, files: dict[str, str], postinst: str = "") -> str:
    """An archive with these files; a content that begins with ``->`` makes a link."""
    tree = folder / f"{name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: x\n"
    )
    if postinst:
        (tree / "DEBIAN/postinst").write_text(f"#!/bin/sh\n{postinst}\n")
        (tree / "DEBIAN/postinst").chmod(0o755)
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("->"):
            (tree / path).symlink_to(content[2:])
        else:
            (tree / path).write_text(content)
            (tree / path).chmod(0o4755 if "bin/" in path else 0o600)
    archive = folder / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, archive], check=True, capture_output=True)
    return str(archive)


def test_files_come_where_this_machine_has_them_and_no_script_runs(deb: Path) -> None:
    files = {"bin/tool": "tool", "usr/share/tool/data": "data", "etc/tool.conf": "conf", "usr/bin/tool2": "->/bin/tool"}
    root = deb / "root"
    unpack([package(deb, "tool", files, f"touch {deb}/ran")], str(root))
    place = "usr/bin/tool" if os.path.islink("/bin") else "bin/tool"
    assert (root / place).read_text() == "tool"
    assert (root / place).stat().st_mode & 0o7777 == 0o755
    assert (root / "etc/tool.conf").stat().st_mode & 0o7777 == 0o644
    assert os.readlink(root / "usr/bin/tool2") == "/bin/tool"
    assert not (deb / "ran").exists()


def test_a_package_cannot_write_elsewhere(deb: Path) -> None:
    outside = deb / "outside"
    outside.mkdir()
    link = package(deb, "link", {"usr/share/way-out": f"->{outside}"})
    through = package(deb, "through", {"usr/share/way-out/file": "x"})
    with pytest.raises(DeployFailed, match="outside of the image"):
        unpack([link, through], str(deb / "root"))
    assert list(outside.iterdir()) == []


def test_the_best_of_what_packages_offer_under_one_name(deb: Path) -> None:
    def offer(name: str, priority: int) -> str:
        lines = (
            f"update-alternatives --install /usr/lib/offered.so.3 \\\n   offered /usr/lib/{name}/offered.so {priority}"
        )
        return package(
            deb, name, {f"usr/lib/{name}/offered.so": name}, f"{lines}\nupdate-alternatives --install $x y z 1"
        )

    root = deb / "root"
    unpack([offer("plain", 10), offer("fast", 100)], str(root))
    assert os.readlink(root / "usr/lib/offered.so.3") == "/usr/lib/fast/offered.so"


def test_a_damaged_archive(deb: Path) -> None:
    broken = deb / "broken.deb"
    broken.write_bytes(b"!<arch>\nnothing more")
    with pytest.raises(DeployFailed, match=r"broken\.deb cannot be unpacked"):
        unpack([str(broken)], str(deb / "root"))
