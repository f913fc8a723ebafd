"""A whole gateway on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from tests.support.gateway import APPS, GatewayProcess
from tests.support.postgres import Postgres


def test_a_gateway_on_postgresql_from_the_login_to_a_crash(postgres: Postgres, tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path)
    gateway.env["CAPSULE_DATABASE_URL"] = postgres.database()
    gateway.start()
    try:
        gateway.deploy(APPS / "echo.py")
        session_id = _use(gateway)
        gateway.kill()
        gateway.start()
        with gateway.client() as client:
            assert client.sessions.list("echo").sessions[-1].id == session_id
            assert client.chat("echo", "recall", session_id).text == "banana, after 4 messages"
            assert [each.name for each in client.secrets.list()] == ["KEY"]
            client.apps.delete("echo")
            assert client.apps.list() == []
        assert gateway.stop() == 0
    finally:
        gateway.kill()
    assert "Traceback" not in gateway.log()
    assert not (gateway.data_dir / "capsule.db").exists()


def _use(gateway: GatewayProcess) -> str:
    """Something of everything; the session that it leaves."""
    with gateway.client() as client, gateway.http() as http:
        answer = client.chat("echo", "remember banana", idempotency_key="once")
        assert client.chat("echo", "remember banana", idempotency_key="once").request_id == answer.request_id
        assert client.chat("echo", "note one").text == "1 notes"
        assert "".join(chunk.text for chunk in client.stream("echo", "stream 100")).startswith("0 1 2 ")
        client.secrets.create({"KEY": "value"})
        client.filesystems.create("files")
        client.channels.create("line", "telegram", {"bot_token": "x"})
        client.sessions.delete("echo", client.chat("echo", "hi").session_id)
        client.chat("echo", "recall", answer.session_id)
        assert client.apps.logs("echo") is not None
        for path in ("/apps/%00", "/secrets/%00", "/fs/%00", "/turns/%00", f"/apps/echo/logs?after={2**70}"):
            assert http.get(path).status_code in (404, 405, 422), path
        bad = http.post("/app/echo/chat", json={"text": "x"}, headers={"Idempotency-Key": "k" * 5000})
        assert bad.status_code in (200, 422)
        return answer.session_id
