"""Everything at once: people talk while their app is deployed, rolled back, given new secrets, and killed."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

import cpsl
from tests.support.gateway import GatewayProcess
from tests.support.processes import are_gone, descendants, running_apps, zygotes

APP = """
import asyncio, os, random
import cpsl

app = cpsl.App(name="chaos", image=cpsl.Image(), secrets=["CHAOS"])

@app.message()
async def handle(session, msg):
    await session.reply(f"{msg.text} in {VERSION} begins")
    await asyncio.sleep(random.random() / 5)
    return f"{msg.text} in {VERSION} ends"
"""
USERS = 6
ALLOWED = {"runtime_lost", "gateway_restarted"}


class Chaos:
    """What happens to the app, one thing after another."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self._versions = 0
        with gateway.client() as client:
            client.secrets.create({"CHAOS": "0"})
        self.deploy()

    def deploy(self) -> None:
        self._versions += 1
        file = self._gateway.home / "chaos.py"
        file.write_text(APP.replace("VERSION", str(self._versions)))
        self._gateway.deploy(file)

    def roll_back(self) -> None:
        with self._gateway.client() as client, suppress(cpsl.Conflict, cpsl.NotFound):
            client.apps.rollback("chaos")

    def change_the_secret(self) -> None:
        with self._gateway.client() as client:
            client.secrets.create({"CHAOS": str(self._versions)}, overwrite=True)

    def kill_a_runtime(self) -> None:
        self._kill(running_apps(self._gateway.pid) - zygotes(self._gateway.pid))

    def kill_a_zygote(self) -> None:
        self._kill(zygotes(self._gateway.pid))

    def kill_the_gateway(self) -> None:
        self._gateway.kill()
        self._gateway.start()

    def _kill(self, pids: set[int]) -> None:
        if pids:
            with suppress(ProcessLookupError):
                os.kill(min(pids), signal.SIGKILL)


def talk(gateway: GatewayProcess, token: str, stop: threading.Event) -> list[tuple[str, str]]:
    """Say one thing after another; what was said, with the answer or the code of the error."""
    heard: list[tuple[str, str]] = []
    with gateway.client(token) as client:
        while not stop.is_set():
            said = f"message {len(heard)} of {token[-6:]}"
            heard.append((said, _answer(client, said)))
    return heard


def _answer(client: cpsl.Client, said: str) -> str:
    for _ in range(50):
        try:
            return client.chat("chaos", said, idempotency_key=said).text
        except cpsl.ConnectionFailed:
            time.sleep(0.1)
        except cpsl.AppError as error:
            return str(error.code)
    raise AssertionError("the gateway did not come back")


@pytest.mark.parametrize("seed", [1])
def test_no_turn_is_lost_doubled_mixed_or_without_an_end(own_gateway: GatewayProcess, seed: int) -> None:
    dice, chaos, stop = random.Random(seed), Chaos(own_gateway), threading.Event()
    with own_gateway.http() as http:
        workspace = http.get("/me").json()["workspace"]
    tokens = [own_gateway.member(f"{number}@chaos.example", workspace) for number in range(USERS)]
    kinds = [chaos.deploy, chaos.roll_back, chaos.change_the_secret, chaos.kill_a_runtime, chaos.kill_a_zygote]
    happenings = [dice.choice(kinds) for _ in range(12)] + [chaos.kill_the_gateway]
    with ThreadPoolExecutor(USERS) as pool:
        talking = [pool.submit(talk, own_gateway, token, stop) for token in tokens]
        for happens in happenings:
            happens()
            stop.wait(dice.random() / 5)
        stop.set()
        heard = [each for one in talking for each in one.result()]
    assert len(heard) > USERS
    for said, answer in heard:
        expected = rf"{said} in (\d+) begins\s+{said} in \1 ends"
        assert re.fullmatch(expected, answer) or answer in ALLOWED, (said, answer)
    assert sum(answer not in ALLOWED for _, answer in heard) > len(heard) / 2
    started = descendants(own_gateway.pid)
    assert own_gateway.stop() == 0
    assert are_gone(started)
    assert "Traceback" not in own_gateway.log()


def test_a_message_to_an_app_that_is_being_deleted_is_no_failure_of_the_gateway(own_gateway: GatewayProcess) -> None:
    file = own_gateway.home / "gone.py"
    file.write_text(APP.replace("VERSION", "1").replace('"chaos"', '"gone"').replace(', secrets=["CHAOS"]', ""))
    stop = threading.Event()

    def talk_to_it(_: int) -> set[int]:
        with own_gateway.http() as http:
            seen = set()
            while not stop.is_set():
                seen.add(http.post("/app/gone/chat", json={"text": "hi"}).status_code)
            return seen

    with ThreadPoolExecutor(USERS) as pool, own_gateway.client() as client:
        talking = pool.map(talk_to_it, range(USERS))
        for _ in range(2):
            own_gateway.deploy(file)
            stop.wait(0.2)
            client.apps.delete("gone")
        stop.set()
        seen = set().union(*talking)
    assert 404 in seen
    assert "Traceback" not in own_gateway.log()
