"""An app that tries to get out while it is imported, and tells later how that went."""

import ctypes
import errno
import os

import cpsl

libc = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT, MS_BIND = 32, 4096


def attempt(work):
    try:
        result = work()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done" if result in (None, 0) else errno.errorcode[ctypes.get_errno()]


def read(path):
    with open(path, "rb") as file:
        file.read(1)


def in_new_namespaces(work):
    """The way that is open to a zygote: to be root in a namespace of its own."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        made = attempt(lambda: libc.unshare(0x10000000 | 0x00020000))
        for name, text in (("setgroups", "deny"), ("uid_map", "1000 1000 1"), ("gid_map", "1000 1000 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        os.write(tell, f"{made} {attempt(work)}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    return os.read(told, 100).decode()


FOUND = {
    "its keeper's memory": attempt(lambda: read("/proc/1/mem")),
    "its keeper's environment": attempt(lambda: read("/proc/1/environ")),
    "tracing its keeper": attempt(lambda: libc.ptrace(16, 1, 0, 0)),
    "the old root": attempt(lambda: os.listdir("/old") and None),
    "the system, written": attempt(lambda: open("/usr/x", "w").close()),
    "mounting": attempt(lambda: libc.mount(b"none", b"/usr", b"tmpfs", 0, None)),
    "writing to the system in a new namespace": in_new_namespaces(
        lambda: libc.mount(b"none", b"/usr", None, MS_REMOUNT | MS_BIND, None)
    ),
    "looking below a mount in a new namespace": in_new_namespaces(lambda: libc.umount2(b"/tmp", 2)),
    "switches of the kernel in a new namespace": in_new_namespaces(
        lambda: open("/proc/sys/kernel/core_pattern", "w").close()
    ),
    "being another user in a new namespace": in_new_namespaces(lambda: os.setuid(0)),
}

app = cpsl.App(name="tunneller")


@app.message()
async def handle(session, msg):
    return repr(FOUND)
