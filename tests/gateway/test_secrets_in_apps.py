"""A secret reaches the apps that declare it, by one way, and nothing else does."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

import cpsl
from tests.gateway.test_logs import lines_when
from tests.support.bench import SECRETS, code_of, run
from tests.support.gateway import GatewayProcess


def told(client: cpsl.Client, value: str) -> Any:
    """The digest of what an expression gives inside the app: answers are stored, so no value may be in one."""
    return run(client, f"import asyncio, hashlib, os; return hashlib.sha256(({value}).encode()).hexdigest()")


def digest(name: str) -> str:
    return hashlib.sha256(SECRETS[name].encode()).hexdigest()


def test_a_declared_secret_is_in_the_environment(bench: GatewayProcess) -> None:
    with bench.client() as client:
        assert told(client, "os.environ['BENCH_DECLARED']") == digest("BENCH_DECLARED")
        assert told(client, "cpsl.Secret('BENCH_DECLARED').value") == digest("BENCH_DECLARED")


def test_it_is_in_no_argv_and_not_in_the_environment_that_others_can_read(bench: GatewayProcess) -> None:
    with bench.client() as client:
        pid_files = run(client, "return [open(f'/proc/self/{name}').read() for name in ('cmdline', 'environ')]")
    assert "cpsl.runtime" in pid_files[0]
    assert not [text for text in pid_files for value in SECRETS.values() if value in text]


def test_only_what_is_declared_and_what_a_process_needs_is_in_the_environment(bench: GatewayProcess) -> None:
    with bench.client() as client:
        names = run(client, "import os; return sorted(os.environ)")
    allowed = {"PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HOME", "BENCH_DECLARED"}
    allowed |= {"PYTHONPATH", "REQUESTS_CA_BUNDLE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
    assert {name for name in names if not name.startswith("LC_")} <= allowed


def test_a_referenced_secret_comes_from_the_vault(bench: GatewayProcess) -> None:
    with bench.client() as client:
        assert told(client, "referenced.value") == digest("BENCH_REFERENCED")
        assert told(client, "await asyncio.to_thread(lambda: referenced.value)") == digest("BENCH_REFERENCED")
        assert run(client, "return repr(referenced), str(referenced)") == (
            "Secret('BENCH_REFERENCED')",
            "Secret(BENCH_REFERENCED)",
        )


def test_an_undeclared_secret_is_refused_and_how_to_declare_it_is_said(bench: GatewayProcess) -> None:
    with bench.client() as client:
        kind, code, hint = run(client, code_of("cpsl.Secret('BENCH_OTHER').value"))
        unknown = run(client, code_of("cpsl.Secret('BENCH_NOBODY').value"))
    assert (kind, code) == ("AuthError", "secret_not_declared")
    assert "App(secrets=['BENCH_OTHER', …])" in hint
    assert unknown[1] == "secret_not_declared"  # whether it exists is not the app's business


def test_a_secret_that_was_deleted_later(bench: GatewayProcess) -> None:
    with bench.client() as client:
        client.secrets.delete("BENCH_FLEETING")
        kind, code, hint = run(client, code_of("fleeting.value"))
        assert (kind, code) == ("NotFound", "secret_not_found")
        assert hint == "Create it with: capsule secret create BENCH_FLEETING"
        client.secrets.create({"BENCH_FLEETING": "back again"})
        assert run(client, "return fleeting.value") == "back again"


def test_another_workspaces_secrets_are_out_of_reach(bench: GatewayProcess) -> None:
    with bench.client(bench.member("secrets@example.com", "secretive")) as client:
        assert client.secrets.list() == []
        client.secrets.create({"BENCH_REFERENCED": "theirs"})
    with bench.client() as client:
        assert told(client, "referenced.value") == digest("BENCH_REFERENCED")


def test_no_value_is_on_the_disk_in_the_clear(bench: GatewayProcess) -> None:
    with bench.client() as client:
        told(client, "referenced.value + os.environ['BENCH_DECLARED']")
    kept = [path for path in bench.data_dir.rglob("*") if path.is_file()]
    assert any(path.name == "capsule.db" for path in kept)
    for value in SECRETS.values():
        assert not [path for path in kept if value.encode() in path.read_bytes()]
        assert value not in bench.log()


@pytest.mark.parametrize("say", ["print(line)", "os.write(1, line.encode() + b'\\n')", "os.system('echo ' + line)"])
def test_a_value_is_known_wherever_a_long_line_is_cut(bench: GatewayProcess, say: str) -> None:
    value = SECRETS["BENCH_DECLARED"]
    with bench.client() as client:
        run(
            client,
            f"""
            import os
            mark = {say[:8]!r}
            for size in (16_384, 65_536):
                line = "x" * (size - {len(value) // 2}) + os.environ["BENCH_DECLARED"] + " " + mark
                {say}
            return 0
            """,
        )
        lines = lines_when(client, lambda lines: sum(line.message.endswith(say[:8]) for line in lines) >= 2)
    assert not [line for line in lines if value[-len(value) // 2 + 1 :] in line.message]


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "PYTHONPATH", "CAPSULE_TOKEN", "1X", "A-B", "", "Ä"])
def test_names_that_no_secret_may_have(bench: GatewayProcess, name: str) -> None:
    with bench.client() as client, pytest.raises(cpsl.InvalidRequest) as caught:
        client.secrets.create({"BENCH_FINE": "value", name: "value"})
    assert caught.value.code == "invalid_secret_name"
    with bench.client() as client:
        assert "BENCH_FINE" not in [secret.name for secret in client.secrets.list()]
