from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import msgspec
import pytest

import cpsl
from cpsl.engine.local.images import BuildLimits, Images
from cpsl.errors import DeployFailed
from cpsl.wire.apps import ImageSpec
from tests.images.conftest import Build, inside, wheel

UNREACHABLE = ("dns error", "error sending request", "Failed to fetch", "Could not resolve", "Could not connect")


def test_python_packages_lie_where_their_programs_look_for_them(build: Build, wheels: Path) -> None:
    image = build(python_packages=["--no-index", "tiny"])
    assert sorted(path.name for path in image.iterdir()) == ["build.log", "recipe.json", "venv"]
    assert list(image.glob("venv/lib/*/site-packages/__pycache__/tiny.*.pyc"))
    assert inside(image, "/opt/capsule/venv/bin/tiny") == "tiny 2.0\n"
    script = "import sys, tiny; print(tiny.VERSION, sys.prefix, [path for path in sys.path if 'packages' in path])"
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    said = f"2.0 /opt/capsule/venv ['/opt/capsule/venv/lib/{version}/site-packages']\n"
    assert inside(image, f'/opt/capsule/venv/bin/python -c "{script}"') == said
    assert "Read-only" in inside(image, "touch /opt/capsule/venv/x")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("--no-index\ntiny\n", "2.0"),
        ("--no-index\ntiny  # any\n-c limits.txt\n", "1.0"),
        ("--no-index\n--pre\ntiny ; python_version > '3'\nabsent ; python_version < '3'\n", "3.0a1"),
        ("--no-index\ntiny==1.0 \\\n  --hash=sha256:{hash}\n", "1.0"),
    ],
)
def test_a_requirements_file_is_installed_as_it_says(build: Build, wheels: Path, text: str, version: str) -> None:
    wheel(wheels, "3.0a1")
    known = hashlib.sha256((wheels / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    (wheels / "limits.txt").write_text("tiny<2\n")
    (wheels / "requirements.txt").write_text(text.replace("{hash}", known))
    packages = cpsl.Image(python_packages=wheels / "requirements.txt").spec().python_packages
    assert inside(build(python_packages=packages), "/opt/capsule/venv/bin/tiny") == f"tiny {version}\n"


def test_a_wrong_hash_is_no_image(build: Build, wheels: Path) -> None:
    with pytest.raises(DeployFailed, match="Python packages") as caught:
        build(python_packages=["--no-index", f"tiny==1.0 --hash=sha256:{'0' * 64}"])
    assert "hash" in str(caught.value.hint).lower()


def test_commands_change_the_image_and_not_the_machine(build: Build, wheels: Path, folder: Path) -> None:
    commands = [
        "printf '#!/bin/sh\\necho made\\n' > /usr/local/bin/made-here && chmod 700 /usr/local/bin/made-here",
        "mkdir -p /opt/made/here /srv/made /var/lib/made; echo 1 > /opt/made/file; echo 2 > /etc/made.conf",
        "echo 3 > /etc/ssl/certs/made.pem; rm /usr/bin/env; touch $HOME/gone /tmp/gone; tiny; made-here",
    ]
    image = build(python_packages=["--no-index", "tiny"], commands=commands)
    log = (image / "build.log").read_text()
    assert "Command 3 of 3: echo 3" in log
    assert log.endswith("tiny 2.0\nmade\n")
    look = "made-here; cat /opt/made/file /etc/made.conf /etc/ssl/certs/made.pem; ls -d /opt/made/here /var/lib/made"
    assert inside(image, look) == "made\n1\n2\n3\n/opt/made/here\n/var/lib/made\n"
    assert "No such file" in inside(image, "ls /usr/bin/env")
    assert (
        inside(image, "for i in /usr/x /opt/made/x /etc/ssl/x; do echo 2>&- > $i || echo no; done").count("no\n") == 3
    )
    assert "ca-certificates" in inside(image, "ls /etc/ssl/certs")
    assert not Path("/usr/local/bin/made-here").exists()
    assert Path("/usr/bin/env").exists()
    made = {str(path.relative_to(image)) for path in image.glob("root/**/*") if not path.is_dir()}
    assert made == {
        *("root/usr/local/bin/made-here", "root/usr/bin/env", "root/opt/made/file"),
        *("root/etc/made.conf", "root/etc/ssl/certs/made.pem"),
    }
    assert [path.name for path in folder.iterdir()] == [image.name]


def test_a_build_sees_nothing_of_the_gateway(build: Build, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSULE_MASTER_KEY", "hidden")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    look = [
        "env",
        f"for path in '{folder}' '{folder.parent}' {sys.prefix}/lib /etc/shadow /root/.ssh /old /new /boot /var/log; do"
        ' if test -e "$path"; then echo "seen: $path"; fi; done',
        "for process in /proc/[0-9]*; do echo process; done",
        "grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status",
        "for i in sys/kernel/core_pattern sysrq-trigger self/oom_score_adj; do"
        " (echo 0 > /proc/$i) 2>/dev/null && echo written; done || true",
        "echo outside this is $(awk '{print $2}' /proc/self/uid_map)",
        "unshare -Ur true 2>&1 || echo refused",
    ]
    log = (build(commands=look) / "build.log").read_text()
    assert "hidden" not in log
    assert "CAPSULE" not in log
    assert "HTTPS_PROXY=http://proxy.example.org:3128" in log
    assert "\nseen: " not in log
    assert "\nwritten" not in log
    assert log.count("\nprocess") == 2
    assert log.count(":\t0000000000000000\n") == 3
    assert "NoNewPrivs:\t1" in log
    assert "\noutside this is 0\n" not in log
    assert log.endswith("refused\n")


BACKEND = """
import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    assert "CAPSULE_MASTER_KEY" not in os.environ and not os.path.exists({outside!r}), "it can look out"
    with zipfile.ZipFile(os.path.join(folder, "odd-1.0-py3-none-any.whl"), "w") as archive:
        archive.writestr("odd.py", "NAME = 'odd'")
        archive.writestr("odd-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: odd\\nVersion: 1.0\\n")
        archive.writestr("odd-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr("odd-1.0.dist-info/RECORD", "odd.py,,\\n")
    return "odd-1.0-py3-none-any.whl"
"""


def test_code_that_runs_to_build_a_package_runs_inside(
    build: Build, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPSULE_MASTER_KEY", "hidden")
    source = tmp_path / "odd-1.0"
    source.mkdir()
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (source / "backend.py").write_text(BACKEND.format(outside=str(tmp_path)))
    with tarfile.open(wheels / "odd-1.0.tar.gz", "w:gz") as archive:
        archive.add(source, "odd-1.0")
    image = build(python_packages=["--no-index", "odd"])
    assert inside(image, "/opt/capsule/venv/bin/python -c 'import odd; print(odd.NAME)'") == "odd\n"


@pytest.mark.parametrize(
    ("parts", "limits", "message", "hint"),
    [
        (
            {"commands": ["true", "echo out; echo err >&2; exit 7"]},
            {},
            r"Command 2 of 2: .* \(.*exit status 7\)",
            "err",
        ),
        ({"commands": ["no-such-program --x"]}, {}, "exit status 127", "no-such-program"),
        ({"commands": ["kill -9 $$"]}, {}, "SIGKILL", None),
        ({"commands": ["echo before; sleep 60"]}, {"seconds": 1.0}, "not end within 1 seconds", "before"),
        ({"commands": ["head -c 200000000 /dev/zero | tail"]}, {"memory": 64}, "exit status", "tail"),
        ({"commands": ["for i in $(seq 60); do sleep 5 & done; wait"]}, {"processes": 20}, "exit status", "fork"),
        ({"python_packages": ["--no-index", "tiny==9"]}, {}, r"Python packages \(", "tiny"),
    ],
)
def test_a_failed_build_says_where_and_leaves_its_log_alone(
    images: Images, folder: Path, wheels: Path, parts: dict[str, list[str]], limits: dict[str, float], message: str,
    hint: str | None,
) -> None:  # fmt: skip
    images = Images(folder, BuildLimits(**limits))  # type: ignore[arg-type]
    spec = ImageSpec(**parts)
    lines: list[str] = []
    with pytest.raises(DeployFailed, match=message) as caught:
        asyncio.run(images.build(spec, lines.append))
    assert caught.value.code == "image_build_failed"
    assert hint is None or hint in str(caught.value.hint)
    assert images.path(spec) is None
    assert images.log(spec) == "".join(f"{line}\n" for line in [*lines, caught.value.message])
    assert [path.suffixes for path in folder.iterdir()] == [[".failed", ".log"]]


def test_what_a_command_leaves_running_ends_with_the_build(build: Build) -> None:
    endless = f"sleep {2_000_000 + os.getpid()}"
    build(commands=[f"{endless} & (setsid {endless} &) ; echo started"])
    assert subprocess.run(["pgrep", "-fx", endless], capture_output=True).returncode == 1


def test_a_recipe_is_kept_with_the_image(build: Build) -> None:
    recipe = msgspec.json.decode((build(commands=["true"]) / "recipe.json").read_bytes())
    assert recipe["image"] == {"commands": ["true"]}


# --- with the network -------------------------------------------------------------------------------------------------


def reachable(build: Build, **parts: list[str]) -> Path:
    try:
        return build(**parts)
    except DeployFailed as error:
        if error.code == "apt_missing" or any(sign in str(error.hint) for sign in UNREACHABLE):
            pytest.skip(f"the packages cannot be reached: {error.message}")
        raise


def test_packages_of_the_index(build: Build) -> None:
    image = reachable(build, python_packages=["iniconfig"])
    assert inside(image, "/opt/capsule/venv/bin/python -c 'import iniconfig; print(1)'") == "1\n"


def test_debian_packages(build: Build) -> None:
    image = reachable(build, apt_packages=["hello"], commands=["hello > /opt/said"])
    assert inside(image, "hello; cat /opt/said") == "Hello, world!\nHello, world!\n"
    with pytest.raises(DeployFailed, match="apt-get install ended with exit status 100") as caught:
        build(apt_packages=["no-such-package-anywhere"])
    assert "no-such-package-anywhere" in str(caught.value.hint)


# --- as an ordinary user ----------------------------------------------------------------------------------------------

BUILD = """
import asyncio, sys
from pathlib import Path
from cpsl.engine.local.images import Images
from cpsl.wire.apps import ImageSpec
commands = [
    "echo 1 > /usr/local/bin/made; echo 2 > /etc/ssl/certs/made.pem",
    "rm -r /usr/bin/env", "rm -r /usr/share/perl5; id -u",
]
print(asyncio.run(Images(Path(sys.argv[1])).build(ImageSpec(commands=commands), print)))
"""


@pytest.mark.usefixtures("isolated")
@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests are run by one")
def test_an_ordinary_user_builds_the_same() -> None:
    python = next((path for path in (sys.executable, "/usr/bin/python3") if not _is_private(Path(path))), None)
    if python is None or _version(python) != _version(sys.executable):
        pytest.skip("no Python of this version that an ordinary user could start")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        own = Path(folder, "own")
        own.mkdir()
        os.chown(own, 65534, 65534)
        environment = Path(folder, "venv")
        subprocess.run([python, "-m", "venv", "--without-pip", environment], check=True)
        packages = next(environment.glob("lib/*/site-packages"))
        for package in (Path(cpsl.__file__).parent, Path(msgspec.__file__).parent):  # which others may not read there
            shutil.copytree(package, packages / package.name)
        argv = [str(environment / "bin/python"), "-c", BUILD, str(own / "images")]
        done = subprocess.run(argv, user=65534, group=65534, extra_groups=[], capture_output=True, text=True, cwd="/")
        assert "\n0\n" in done.stdout, done.stderr
        image = Path(done.stdout.splitlines()[-1])
        image.parent.chmod(0o755)
        assert inside(image, "cat /usr/local/bin/made /etc/ssl/certs/made.pem") == "1\n2\n"
        assert inside(image, "ls /usr/bin/env /usr/share/perl5").count("No such file") == 2
        assert sum(1 for _ in image.glob("root/**/*")) < 20


def _is_private(path: Path) -> bool:
    real = path.resolve()
    return not real.exists() or any(not folder.stat().st_mode & 0o001 for folder in (*path.parents, *real.parents))


def _version(python: str) -> str:
    return subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.split(".")[1]
