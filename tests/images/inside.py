"""``python inside.py IMAGE COMMAND``: a shell command in the root of an app that has the image."""

from __future__ import annotations

import os
import subprocess
import sys

from cpsl.runtime import kernel, sandbox
from cpsl.wire.frames import Start


def enter(image: str) -> None:
    plan = sandbox.plan(Start(app="probe", version=1, code_dir=os.path.dirname(__file__), entry="", image=image))
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWPID)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    sandbox.build(plan, sandbox.trees(plan.binds))


def run(command: str) -> int:
    sandbox.change_root()
    kernel.drop_capabilities()
    return subprocess.run(["/bin/sh", "-c", command], env={"PATH": "/usr/local/bin:/usr/bin:/bin"}).returncode


if __name__ == "__main__":
    enter(os.path.realpath(sys.argv[1]))
    if child := os.fork():
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os._exit(run(sys.argv[2]))
