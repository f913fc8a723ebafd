"""A machine that makes no namespaces: a deploy is refused with what to do, and nothing is run with less."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import environment

WITHOUT_NAMESPACES = ["unshare", "--user", "--map-root-user", "sh", "-ec"]
FORBID = "echo 0 > /proc/sys/user/max_user_namespaces"


@pytest.fixture
def strict() -> None:
    """Skips where no such machine can be made out of this one."""
    if shutil.which("unshare") is None or subprocess.run([*WITHOUT_NAMESPACES, FORBID], capture_output=True).returncode:
        pytest.skip("a kernel that refuses namespaces takes one that grants them")


def test_a_deploy_is_refused_and_doctor_says_why(tmp_path: Path, strict: None) -> None:
    (tmp_path / "app.py").write_text('import cpsl\napp = cpsl.App(name="boxed")\n')
    capsule = f"{sys.executable} -m capsule_cli"
    script = f"{FORBID}; {capsule} login; {capsule} deploy app.py:app || echo refused; {capsule} doctor || echo failed"
    done = subprocess.run(
        [*WITHOUT_NAMESPACES, f"{script}; {capsule} gateway stop"],
        cwd=tmp_path,
        env=environment(tmp_path) | {"CAPSULE_GATEWAY_PORT": "0"},
        capture_output=True,
        text=True,
    )
    assert "refused" in done.stdout
    assert "does not let the gateway isolate the app: unshare" in done.stderr
    assert "--isolation none" in done.stderr
    assert "fail  sandbox" in done.stdout
    assert "fail  max_user_namespaces" in done.stdout
    assert "failed" in done.stdout
