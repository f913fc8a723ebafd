from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_report_names_what_there_is_and_how_to_get_what_is_not(tmp_path: Path, isolation: str) -> None:
    argv = [sys.executable, "-m", "cpsl.engine.local.machine", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = {check["name"]: check for check in json.loads(done.stdout)}
    assert {"kernel", "landlock", "cgroups", "uv", "apt", "sandbox"} <= found.keys()
    assert found["sandbox"]["state"] == ("ok" if isolation == "namespaces" else "fail")
    assert [check for check in found.values() if check["state"] != "ok" and not check["fix"]] == []
    assert list(tmp_path.iterdir()) == []
