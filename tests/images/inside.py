"""``python inside.py IMAGE COMMAND``: a shell command in a root that shows the machine's programs and the image."""

from __future__ import annotations

import os
import subprocess
import sys

from cpsl.runtime import kernel, mounts, overlays


def enter(image: str) -> None:
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    mounts.tmpfs("/tmp", "0755")
    os.makedirs("/tmp/old")
    os.makedirs("/tmp/new")
    kernel.pivot_root("/tmp", "/tmp/old")
    os.chdir("/")
    mounts.tmpfs("/new", "0755")
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink(f"/old/{name}"):
            os.symlink(os.readlink(f"/old/{name}"), f"/new/{name}")
    for path in ("/usr", "/etc/ssl", "/etc/ld.so.cache", "/proc", "/dev", os.path.realpath(sys.base_prefix)):
        if not path.startswith("/usr/"):
            mounts.bind(f"/old{path}", f"/new{path}", 0 if path in ("/proc", "/dev") else mounts.READ_ONLY, "/old")
    overlays.mount_image(f"/old{image}")
    kernel.unmount("/old", kernel.MNT_DETACH)
    os.chdir("/new")
    kernel.pivot_root(".", ".")
    kernel.unmount(".", kernel.MNT_DETACH)
    kernel.drop_capabilities()


if __name__ == "__main__":
    enter(os.path.realpath(sys.argv[1]))
    sys.exit(subprocess.run(["/bin/sh", "-c", sys.argv[2]]).returncode)
