"""What an app must not be able to do, each tried from inside of a real runtime. See design §7 and the README."""

from __future__ import annotations

import ast
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cpsl
from tests.support.bench import deploy_workbench, run
from tests.support.gateway import APPS, GatewayProcess
from tests.support.processes import are_gone, descendants, running_apps

TRY = """
    import ctypes, errno, os, socket, subprocess
    libc = ctypes.CDLL(None, use_errno=True)
    def call(number, *arguments):
        result = libc.syscall(number, *arguments)
        return "done" if result >= 0 else errno.errorcode[ctypes.get_errno()]
    def attempt(work):
        try:
            work()
        except OSError as error:
            return errno.errorcode[error.errno]
        return "done"
"""


@pytest.fixture(scope="session")
def prison(bench: GatewayProcess) -> GatewayProcess:
    with bench.client() as client:
        inside = run(client, "import os; return os.getuid(), os.getcwd()")
    if inside != (1000, "/app"):
        pytest.skip("this kernel does not let the gateway isolate apps")
    return bench


@pytest.fixture(scope="session")
def alice(prison: GatewayProcess) -> Iterator[cpsl.Client]:
    with prison.client() as client:
        yield client


@pytest.fixture(scope="session")
def bob(prison: GatewayProcess) -> Iterator[cpsl.Client]:
    """Another user of the same app."""
    with prison.colleague("bob@escape.example") as client:
        yield client


def tried(client: cpsl.Client, code: str) -> Any:
    return run(client, TRY + "\n".join(f"    {line}" for line in code.splitlines()))


# --- other processes --------------------------------------------------------------------------------------------------


def test_no_other_process_is_seen(alice: cpsl.Client) -> None:
    pids = run(alice, "import os; return sorted(int(each) for each in os.listdir('/proc') if each.isdigit())")
    assert pids == [1, 2]


def test_no_other_process_is_signalled(alice: cpsl.Client, prison: GatewayProcess) -> None:
    code = f"return [attempt(lambda: os.kill(pid, 9)) for pid in ({prison.pid}, {os.getpid()}, {os.getppid()})]"
    assert set(tried(alice, code)) == {"ESRCH"}
    assert "done" not in tried(alice, "return [attempt(lambda: os.kill(-1, 0)), attempt(lambda: os.killpg(1, 0))][1:]")
    os.kill(prison.pid, 0)


def test_no_memory_of_others_is_read(alice: cpsl.Client, prison: GatewayProcess) -> None:
    code = f"""return [
    attempt(lambda: open("/proc/{prison.pid}/mem", "rb")),
    attempt(lambda: open("/proc/{prison.pid}/environ", "rb")),
    attempt(lambda: open("/proc/1/mem", "rb").read(1)),
    call(101, 16, 1, 0, 0),
    call(310, 1, 0, 0, 0, 0, 0),
]"""
    assert "done" not in tried(alice, code)


def test_another_user_has_another_process_and_other_files(alice: cpsl.Client, bob: cpsl.Client) -> None:
    write = "for folder in ('/tmp', '/home/app', '/dev/shm'): open(folder + '/mine', 'w').write('x')"
    assert run(alice, f"{write}\nreturn 'written'") == "written"
    look = "import os; return [os.listdir(folder) for folder in ('/tmp', '/home/app', '/dev/shm')]"
    assert run(bob, look) == [[], [], []]


def test_two_users_share_no_namespace_no_randomness_and_no_socket(alice: cpsl.Client, bob: cpsl.Client) -> None:
    code = """
    import os, random, uuid
    names = ("user", "mnt", "pid", "ipc", "uts")
    return [os.readlink(f"/proc/self/ns/{name}") for name in names] + [random.random(), uuid.uuid4().hex]
    """
    first, second = run(alice, code), run(bob, code)
    assert not set(first) & set(second)


def test_abstract_sockets_of_others_are_out_of_reach(alice: cpsl.Client, bob: cpsl.Client) -> None:
    if sys.platform != "linux" or not _scopes_sockets():
        pytest.skip("this kernel's Landlock does not scope abstract sockets (ABI 6)")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0capsule-outside")
        listener.listen()
        code = "s = socket.socket(socket.AF_UNIX)\nreturn attempt(lambda: s.connect('\\0{}'))"
        assert tried(alice, code.format("capsule-outside")) == "EPERM"
    bind = "import socket\ncpsl.held = socket.socket(socket.AF_UNIX)\ncpsl.held.bind('\\0of-alice')\ncpsl.held.listen()"
    assert run(alice, f"import cpsl\n{bind}\nreturn 'bound'") == "bound"
    assert tried(bob, code.format("of-alice")) == "EPERM"


def _scopes_sockets() -> bool:
    from cpsl.runtime import kernel

    return kernel.landlock_version() >= 6


# --- files ------------------------------------------------------------------------------------------------------------


def test_the_gateways_files_are_not_there(alice: cpsl.Client, prison: GatewayProcess) -> None:
    paths = [prison.data_dir, prison.data_dir / "capsule.db", prison.home / "config" / "credentials.json"]
    paths += [prison.data_dir / "versions", prison.data_dir / "fs", prison.data_dir / "bootstrap.json"]
    code = f"import os; return [os.path.exists(path) for path in {[str(path) for path in paths]}]"
    assert not any(run(alice, code))


def test_the_machines_private_files_are_not_there(alice: cpsl.Client) -> None:
    code = """
    import os
    inside = sorted(os.listdir("/"))
    secret = ("/etc/shadow", "/etc/ssh", "/root/.ssh", "/var/lib", "/var/log", "/run", "/sys", "/boot", "/mnt", "/srv")
    return inside, [path for path in secret if os.path.exists(path)]
    """
    inside, seen = run(alice, code)
    assert seen == []
    assert set(inside) <= {
        "app", "bin", "data", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "opt", "proc", "sbin", "tmp",
        "usr", "root",
    }  # fmt: skip


def test_the_operators_environment_is_not_there(alice: cpsl.Client) -> None:
    code = """
    import os
    texts = [open(f"/proc/{pid}/environ", "rb").read() for pid in (2,)]
    return [name for name in os.environ if name.startswith("CAPSULE_")], b"CAPSULE_" in b"".join(texts)
    """
    assert run(alice, code) == ([], False)


@pytest.mark.parametrize("path", ["/x", "/app/x", "/usr/x", "/etc/x", "/opt/x", "/home/x", "/dev/x", "/proc/x"])
def test_nothing_is_written_outside_of_what_is_ours(alice: cpsl.Client, path: str) -> None:
    assert tried(alice, f"return attempt(lambda: open({path!r}, 'w'))") in ("EROFS", "EACCES", "ENOENT", "EPERM")


@pytest.mark.parametrize("path", ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger"])
def test_the_kernels_switches_are_out_of_reach(alice: cpsl.Client, path: str) -> None:
    assert tried(alice, f"return attempt(lambda: open({path!r}, 'w'))") in ("EACCES", "EROFS", "EPERM", "ENOENT")


def test_a_link_in_a_mount_leads_nowhere(alice: cpsl.Client, prison: GatewayProcess) -> None:
    run(alice, "import os\nif not os.path.islink('/data/out'): os.symlink('/etc/shadow', '/data/out')\nreturn 1")
    with prison.http() as http:
        assert http.get("/filesystems/bench/files/out").status_code >= 400
    assert run(alice, "import os; return os.path.exists('/data/out')") is False


def test_files_in_a_mount_belong_to_whoever_runs_the_gateway(alice: cpsl.Client, prison: GatewayProcess) -> None:
    assert run(alice, "open('/data/owned', 'w').write('x'); import os; return os.stat('/data/owned').st_uid") == 1000
    owned = next(prison.data_dir.glob("fs/*/owned"))
    assert owned.stat().st_uid == os.getuid()


# --- privileges -------------------------------------------------------------------------------------------------------


def test_no_capability_and_no_way_to_one(alice: cpsl.Client) -> None:
    code = """
    status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    return [int(status[name], 16) for name in names], status["NoNewPrivs"].strip(), status["Seccomp"].strip()
    """
    assert run(alice, code) == ([0, 0, 0, 0, 0], "1", "2")


def test_the_app_is_nobody_on_the_machine(alice: cpsl.Client, prison: GatewayProcess) -> None:
    run(alice, "return 1")
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in running_apps(prison.pid)}
    assert owners
    assert 0 not in owners


def test_a_set_uid_program_gives_nothing(alice: cpsl.Client) -> None:
    code = "done = subprocess.run(['su', '-c', 'id -u'], capture_output=True, text=True, input='')\nreturn done.stdout"
    assert tried(alice, code).strip() != "0"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of system calls below are those of x86_64")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("mount", "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) and errno.errorcode[ctypes.get_errno()]"),
        ("umount", "libc.umount2(b'/proc', 2) and errno.errorcode[ctypes.get_errno()]"),
        ("unshare user", "call(272, 0x10000000)"),
        ("clone user", "call(56, 0x10000000 | 17, 0, 0, 0, 0)"),
        ("clone3", "call(435, 0, 0)"),
        ("setns", "call(308, 0, 0)"),
        ("pivot_root", "call(155, b'/tmp', b'/tmp')"),
        ("chroot", "call(161, b'/tmp')"),
        ("ptrace", "call(101, 0, 0, 0, 0)"),
        ("bpf", "call(321, 0, 0, 0)"),
        ("keyctl", "call(250, 0, 0, 0, 0, 0)"),
        ("io_uring", "call(425, 1, 0)"),
        ("perf", "call(298, 0, 0, -1, -1, 0)"),
        ("userfaultfd", "call(323, 0)"),
        ("kexec", "call(246, 0, 0, 0, 0)"),
        ("module", "call(175, 0, 0, b'')"),
        ("handle", "call(304, -100, 0, 0)"),
        ("open_tree", "call(428, -100, b'/', 1)"),
        ("the other table", "call(0x40000000 | 101, 0, 0, 0, 0)"),
        ("TIOCSTI", "libc.ioctl(0, 0x5412, b'x') and errno.errorcode[ctypes.get_errno()]"),
        ("setuid", "attempt(lambda: os.setuid(0))"),
        ("raw socket", "attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))"),
        ("hostname", "attempt(lambda: socket.sethostname('x'))"),
        ("nice", "attempt(lambda: os.nice(-5))"),
        ("device", "attempt(lambda: os.mknod('/tmp/sda', 0o60600, os.makedev(8, 0)))"),
    ],
)
def test_no_dangerous_system_call(alice: cpsl.Client, name: str, code: str) -> None:
    assert tried(alice, f"return {code}") in ("EPERM", "ENOSYS", "EACCES", "EINVAL")


def test_only_its_own_descriptors_are_open(bob: cpsl.Client) -> None:
    code = """
    import os
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[int(number)] = os.readlink(f"/proc/self/fd/{number}").split(":")[0]
        except OSError:
            pass
    return found
    """
    found = run(bob, code)
    assert {number: found[number] for number in (0, 1, 2)} == {0: "/dev/null", 1: "pipe", 2: "pipe"}
    others = sorted(kind for number, kind in found.items() if number > 2)
    assert others.count("socket") <= 3  # the link, and the loop's own pair
    assert set(others) <= {"socket", "anon_inode", "/proc/2/fd", "/dev/urandom"}


def test_while_it_is_imported_an_app_gets_no_further(prison: GatewayProcess) -> None:
    """A zygote may make namespaces, for its runtimes: nothing of the machine can be reached from them."""
    prison.deploy(APPS / "tunneller.py")
    with prison.client() as client:
        found: dict[str, str] = ast.literal_eval(client.chat("tunneller", "hi").text)
    reached = {what for what, how in found.items() if how.split()[-1] == "done"}
    assert reached == set()
    assert {how.split()[0] for how in found.values() if " " in how} == {"done"}


# --- life -------------------------------------------------------------------------------------------------------------


def test_what_an_app_leaves_behind_ends_with_it(own_gateway: GatewayProcess, prison: GatewayProcess) -> None:
    deploy_workbench(own_gateway)
    code = """
    import subprocess
    script = "trap '' TERM HUP INT; while :; do sleep 0.1; done"
    subprocess.Popen(["setsid", "nohup", "sh", "-c", script], stdin=subprocess.DEVNULL, start_new_session=True)
    return "left"
    """
    with own_gateway.client() as client:
        assert run(client, code) == "left"
    before = descendants(own_gateway.pid)
    assert len(before) >= 6
    own_gateway.stop()
    assert are_gone(before)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_is_left_when_the_gateway_ends(
    own_gateway: GatewayProcess, prison: GatewayProcess, how: signal.Signals
) -> None:
    deploy_workbench(own_gateway)
    with own_gateway.client() as client:
        assert run(client, "import subprocess; subprocess.Popen(['sleep', '1000']); return 1") == 1
    before = descendants(own_gateway.pid)
    _ = own_gateway.kill() if how is signal.SIGKILL else own_gateway.stop()
    assert are_gone(before)
