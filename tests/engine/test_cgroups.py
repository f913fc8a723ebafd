"""Groups where this machine has version 1, and what would be written where it has version 2."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cpsl.engine.local.cgroups import Cgroups


@pytest.fixture
def groups() -> Cgroups:
    found = Cgroups.of_this_process()
    if not found.version:
        pytest.skip("this process may make no control groups here")
    return found


def test_a_process_in_a_group_is_limited_and_the_group_goes(groups: Cgroups) -> None:
    group = groups.create("test-memory", memory=64, cpu=0.5, pids=16)
    eat = "input(); x = [bytearray(1024 * 1024) for _ in range(300)]"
    with subprocess.Popen(["python3", "-c", eat], stdin=subprocess.PIPE, text=True) as process:
        group.add(process.pid)
        process.communicate("go\n")
    assert process.returncode == -9
    assert group.was_out_of_memory
    group.remove()
    groups.close()
    assert Cgroups.of_this_process().version == groups.version
    groups.close()


def test_groups_of_a_gateway_that_was_killed_are_swept(groups: Cgroups) -> None:
    groups.create("test-left", memory=64, cpu=0, pids=16)
    bases = set(groups._bases.values())
    gone = subprocess.Popen(["true"])
    gone.wait()
    for base in bases:
        base.rename(base.with_name(f"capsule-{gone.pid}"))
    again = Cgroups.of_this_process()
    assert not [base for base in bases if base.with_name(f"capsule-{gone.pid}").exists()]
    again.close()


def test_the_unified_hierarchy(tmp_path: Path) -> None:
    """There is no memory controller in this kernel's version 2 to try; files stand in for those of the kernel."""
    for name, content in (("cgroup.controllers", "cpu memory pids io"), ("cgroup.procs", "1\n2\n")):
        (tmp_path / name).write_text(content)
    groups = Cgroups.of_this_process(tmp_path)
    base = tmp_path / f"capsule-{os.getpid()}"
    assert (groups.version, groups.controllers) == (2, ("memory", "cpu", "pids"))
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +cpu +pids"
    assert (base / "cgroup.subtree_control").read_text() == "+memory +cpu +pids"
    (base / "one").mkdir()
    for file in ("memory.max", "cpu.max", "pids.max", "cgroup.procs"):
        (base / "one" / file).touch()
    group = groups.create("one", memory=64, cpu=0.25, pids=16)
    group.add(4321)
    written = {file.name: file.read_text() for file in (base / "one").iterdir()}
    assert written == {
        "memory.max": str(64 * 1024**2), "cpu.max": "25000 100000", "pids.max": "16", "cgroup.procs": "4321",
    }  # fmt: skip
    (base / "one" / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n")
    assert group.was_out_of_memory
