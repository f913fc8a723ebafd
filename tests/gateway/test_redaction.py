"""Secrets that an app prints by accident: masked in its log, also encoded, also while it is followed."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote, quote_plus

import pytest

import cpsl
from cpsl.gateway.secrets.redaction import MASK, Redactions, Redactor
from cpsl.wire.apps import DeployLog
from tests.support.gateway import GatewayProcess
from tests.support.processes import eventually
from tests.support.projects import archive

CANARY = 'canary "value" + 7f3a/né'
RAW = CANARY.encode()
PEM = "-----BEGIN KEY-----\nMIIBOgIBAAJBAKj34GkxFhD9\n0vcNYPKyb1QwEA\n-----END KEY-----\n"
ACCOUNT = json.dumps({"type": "account", "inner": [{"private_key": "leaf-7Hq2\nsecond-leaf-line"}], "n": 12345})

SPELLINGS: dict[str, str] = {
    "plain": CANARY,
    "base64": base64.b64encode(RAW).decode(),
    "base64 unpadded": base64.b64encode(RAW).decode().rstrip("="),
    "base64 urlsafe": base64.urlsafe_b64encode(RAW).decode(),
    "hex": RAW.hex(),
    "upper hex": RAW.hex().upper(),
    "url": quote(CANARY),
    "url, all": quote(CANARY, safe=""),
    "url, form": quote_plus(CANARY),
    "url, small": quote(CANARY, safe="").lower(),
    "json": json.dumps(CANARY)[1:-1],
    "json, unicode": json.dumps(CANARY, ensure_ascii=False)[1:-1],
    "repr": repr(CANARY)[1:-1],
    "bytes": repr(RAW)[2:-1],
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_masked(spelling: str) -> None:
    assert Redactor([CANARY]).clean(f"before {spelling} after") == f"before {MASK} after"


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_inside_of_something_that_was_encoded_as_a_whole(before: str) -> None:
    masked = Redactor([CANARY]).clean(base64.b64encode(before.encode() + RAW + b"!").decode())
    assert MASK in masked
    assert len(masked) < len(MASK) + len(before) * 2 + 8


@pytest.mark.parametrize("line", ["MIIBOgIBAAJBAKj34GkxFhD9", "0vcNYPKyb1QwEA", repr(PEM), PEM])
def test_each_line_of_a_value(line: str) -> None:
    assert "MIIB" not in (masked := Redactor([PEM]).clean(line))
    assert "0vcN" not in masked


def test_each_string_in_a_json_value_and_no_more() -> None:
    redactor = Redactor([ACCOUNT])
    assert redactor.clean("leaf-7Hq2 or second-leaf-line") == f"{MASK} or {MASK}"
    assert redactor.clean(ACCOUNT) == MASK
    assert redactor.clean("12345 private_key") == "12345 private_key"


def test_the_longest_goes_first_and_short_ones_are_left_alone() -> None:
    redactor = Redactor(["abcd", "abcdefgh", "xyz", "    ", ""])
    assert redactor.clean("abcdefgh abcd xyz     .") == f"{MASK} {MASK} xyz     ."


def test_values_that_come_later_are_masked_too() -> None:
    redactor = Redactor()
    assert redactor.clean("first second") == "first second"
    redactor.add(["first"])
    assert redactor.clean("first second") == f"{MASK} second"
    redactor.add(["second"])
    assert redactor.clean("first second") == f"{MASK} {MASK}"
    assert repr(redactor) == "Redactor(2 values)"


@pytest.mark.parametrize(
    "values",
    [
        ["x" * 256 * 1024],
        ["\n".join(f"line {number} of a very long value" for number in range(8000))],
        [json.dumps(["a" * length for length in range(4, 900)])],
        [f"value number {number}" for number in range(3000)],
        ["[" * 10_000],
        ["\ud800 half a character"],
    ],
    ids=["long", "lines", "nested prefixes", "many", "deep", "surrogate"],
)
def test_its_size_and_time_are_bounded(values: list[str]) -> None:
    began = time.process_time()  # of this process: how busy the machine is does not count
    redactor = Redactor(values)
    masked = redactor.clean(f"so {values[-1]} it is")
    assert values[-1] not in masked
    assert time.process_time() - began < 2
    began = time.process_time()
    for _ in range(1000):
        redactor.clean("2026-01-31 INFO app.module: answered request 1234 of a user in 12 ms, all is well")
    assert time.process_time() - began < 1


def test_versions_know_their_own_values_and_are_forgotten() -> None:
    redactions = Redactions()
    redactions.of("ver_1").add(["value-one"])
    redactions.of("ver_2").add(["value-two"])
    assert redactions.clean("ver_1", "value-one value-two") == f"{MASK} value-two"
    redactions.forget(["ver_1", "ver_3"])
    assert redactions.clean("ver_1", "value-one") == "value-one"
    assert redactions.clean("ver_2", "value-two") == MASK


LEAKY = """
import base64, logging, os, sys
import cpsl

app = cpsl.App(name="leaky", secrets=["LEAKED"])
later = cpsl.Secret.from_name("LEAKED_LATER")


@app.message()
async def handle(session, msg):
    value = os.environ["LEAKED"]
    half = len(value) // 2
    print("plain", value)
    print("split", value[:half], end="")
    print(value[half:])
    sys.stdout.write("written " + value[:half]); sys.stdout.flush()
    sys.stdout.write(value[half:] + "\\\\n")
    print("base64", base64.b64encode(value.encode()).decode(), file=sys.stderr)
    logging.getLogger("mine").warning("logged %s", value)
    print("later", later.value)
    os.write(1, f"descriptor {value}\\\\n".encode())
    print("end")
    raise RuntimeError(f"traceback {value}")
""".replace("\\\\", "\\")


@pytest.fixture
def leaky(gateway: GatewayProcess) -> Iterator[cpsl.Client]:
    with gateway.client() as client:
        client.secrets.create({"LEAKED": CANARY, "LEAKED_LATER": "later-9Xk4"}, overwrite=True)
        list(client.deploys.create(archive({"app.py": LEAKY}), "app.py:app"))
        yield client
        client.apps.delete("leaky")


def test_nothing_of_it_reaches_the_log_stored_or_followed(leaky: cpsl.Client, gateway: GatewayProcess) -> None:
    with pytest.raises(cpsl.AppError) as caught:
        leaky.chat("leaky", "hi")
    followed = leaky.apps.follow_logs("leaky")
    seen: list[str] = []
    while not ({"end"} <= set(seen) and any("RuntimeError" in line for line in seen) and len(seen) >= 9):
        seen.append(next(followed).message)
    text = "\n".join(seen)
    for word in ("plain", "written", "base64", "mine: logged", "later", "descriptor", "RuntimeError: traceback"):
        assert f"{word} {MASK}" in text
    assert "split [secure]" in text.replace("split  ", "split ")
    stored = "\n".join(line.message for line in leaky.apps.logs("leaky"))
    for leak in (*SPELLINGS.values(), "later-9Xk4", "canary", "7f3a"):
        assert leak not in text + stored + str(caught.value)
    assert CANARY not in gateway.log()


def test_nothing_of_it_is_in_what_an_import_prints(gateway: GatewayProcess) -> None:
    source = (
        "import os\nprint('at import', os.environ['IMPORT_CANARY'])\nraise RuntimeError(os.environ['IMPORT_CANARY'])\n"
    )
    lines: list[str] = []
    with gateway.client() as client:
        client.secrets.create({"IMPORT_CANARY": CANARY})
        with pytest.raises(cpsl.DeployFailed) as caught:
            for event in client.deploys.create(archive({"app.py": source}), "app.py:app", secrets=["IMPORT_CANARY"]):
                lines += [event.line] if isinstance(event, DeployLog) else []
    assert lines == [f"at import {MASK}"]
    assert f"RuntimeError: {MASK}" in caught.value.traceback


def is_logged(client: cpsl.Client, text: str) -> bool:
    return any(text in line.message for line in client.apps.logs("falling"))


def test_visitors_of_an_app_that_goes_down_see_nothing_of_it(gateway: GatewayProcess) -> None:
    source = """
import os
import cpsl

app = cpsl.App(name="falling", secrets=["FALLING_KEY"])


@app.boot()
async def boot():
    if os.environ["FALLING_KEY"].startswith("refuse"):
        raise RuntimeError(os.environ["FALLING_KEY"])


@app.data("down")
async def down():
    os.write(1, f"last words {os.environ['FALLING_KEY']}\\n".encode())
    os._exit(3)
"""
    with gateway.client() as client:
        for secret, code in (("falls-down-7fT2", "runtime_lost"), ("refuse-to-start-9Yk", "boot_failed")):
            client.secrets.create({"FALLING_KEY": secret}, overwrite=True)
            list(client.deploys.create(archive({"app.py": source}), "app.py:app", secrets=["FALLING_KEY"]))
            answer = gateway.ask("GET", "/api/v1/app/falling/data/down")
            assert (answer.status_code, answer.json()["code"]) == (502, code)
            assert secret not in answer.text
            assert "last words" not in answer.text
            masked = "last words [secure]" if code == "runtime_lost" else "RuntimeError: [secure]"
            assert eventually(partial(is_logged, client, masked))
        client.apps.delete("falling")
