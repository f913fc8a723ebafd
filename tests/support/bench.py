"""Looking around from inside of an app: the app ``workbench`` runs what it is sent."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import cpsl
from tests.support.gateway import APPS, GatewayProcess

SECRETS = {
    "BENCH_DECLARED": "declared-Xy7Qa9",
    "BENCH_REFERENCED": "referenced-Kp3Lm5",
    "BENCH_OTHER": "other-Vd8Ws2",
    "BENCH_FLEETING": "fleeting-1",
}


def deploy_workbench(gateway: GatewayProcess) -> None:
    """Deploy it with all that it needs."""
    with gateway.client() as client:
        client.secrets.create(SECRETS)
        client.filesystems.create("bench")
    gateway.deploy(APPS / "workbench.py")


def run(client: cpsl.Client, code: str, session_id: str | None = None) -> Any:
    """What ``code``, the body of an async function, returns inside the app; a literal."""
    return ast.literal_eval(client.chat("workbench", textwrap.dedent(code).strip(), session_id).text)


def code_of(call: str) -> str:
    """Code that returns the error code and hint that ``call``, an expression, raises."""
    return f"""
        try:
            value = {call}
        except cpsl.CapsuleError as error:
            return type(error).__name__, error.code, error.hint
        return "no error", value
    """
