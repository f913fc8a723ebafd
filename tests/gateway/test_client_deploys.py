"""``client.deploy``: a project on this machine becomes an app, in one call of either client."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

import cpsl
from cpsl.client.deploying import DeployPlan
from cpsl.wire.apps import DeployDone, DeployStatus, Development
from tests.support.gateway import GatewayProcess
from tests.support.projects import answering
from tests.support.proxy import cutting_proxy

APP = "import cpsl\napp = cpsl.App({arguments})\n"


def project(folder: Path, code: str, **files: str) -> str:
    """Write it; its entry."""
    for name, content in {"app.py": code, **files}.items():
        (folder / name).write_text(content)
    return f"{folder / 'app.py'}:app"


def test_a_project_is_live_in_one_call(gateway: GatewayProcess, tmp_path: Path) -> None:
    entry = project(tmp_path, answering("onecall")["app.py"], **{"data.txt": "x" * 5000, ".env": "KEY=hidden"})
    sent: list[int] = []
    with gateway.client() as client:
        live = client.deploy(entry, progress=sent.append)
        assert (live.app, live.version) == ("onecall", 1)
        assert client.chat("onecall", "hi").text == "first"
    assert sent == sorted(sent)
    assert sent[-1] == sum((tmp_path / name).stat().st_size for name in ("app.py", "data.txt"))


def test_the_async_client_deploys_and_the_loop_goes_on(gateway: GatewayProcess, tmp_path: Path) -> None:
    entry = project(tmp_path, answering("asynccall", before="import time; time.sleep(0.6)\n")["app.py"])
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - began)

    async def main() -> None:
        ticking = asyncio.create_task(tick())
        async with cpsl.AsyncClient(gateway.token, gateway.url) as client:
            assert (await client.deploy(entry)).app == "asynccall"
            assert (await client.chat("asynccall", "hi")).text == "first"
        ticking.cancel()

    asyncio.run(main())
    assert longest < 0.55


def test_what_happens_comes_as_it_happens(gateway: GatewayProcess, tmp_path: Path) -> None:
    entry = project(tmp_path, answering("stepwise")["app.py"])
    with gateway.client() as client:
        plan, *events = client.deploys.stream(entry, development=Development())
        assert isinstance(plan, DeployPlan)
        assert (plan.spec.name, plan.entry, plan.root) == ("stepwise-dev", "app.py:app", tmp_path)
        assert isinstance(events[0], DeployStatus)
        assert isinstance(events[-1], DeployDone)
        assert plan == client.deploys.plan(entry, development=Development())


def test_who_stops_at_the_plan_has_sent_nothing(gateway: GatewayProcess, tmp_path: Path) -> None:
    with gateway.client() as client:
        next(client.deploys.stream(project(tmp_path, answering("planned")["app.py"])))
        with pytest.raises(cpsl.NotFound):
            client.apps.get("planned")


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        ("import cpsl\n1/0", cpsl.DeployFailed, "import_failed"),
        ("import os; os._exit(3)", cpsl.DeployFailed, "import_failed"),
        ("other = 1", cpsl.NotFound, "symbol_missing"),
        ("app = 1", cpsl.EntryPointError, "not_an_app"),
        (APP.format(arguments="'needy', secrets=['NOT_THERE']"), cpsl.NotFound, "missing_resources"),
    ],
)
def test_what_cannot_go_live_is_said_before_anything_is_sent(
    gateway: GatewayProcess, tmp_path: Path, code: str, kind: type[cpsl.CapsuleError], told: str
) -> None:
    entry = project(tmp_path, code)

    async def main() -> None:
        async with cpsl.AsyncClient(gateway.token, gateway.url) as client:
            await client.deploy(entry)

    with gateway.client() as client:
        for deploy in (lambda: client.deploy(entry), lambda: asyncio.run(main())):
            with pytest.raises(kind) as caught:
                deploy()
            assert caught.value.code == told


@pytest.mark.parametrize(
    ("entry", "kind"),
    [("app.py", cpsl.EntryPointError), ("app.py:a b", cpsl.EntryPointError), ("none.py:app", cpsl.NotFound)],
)
def test_what_is_no_entry_is_refused(entry: str, kind: type[cpsl.CapsuleError]) -> None:
    with cpsl.Client("cps_x", "http://127.0.0.1:9") as client, pytest.raises(kind):
        client.deploy(entry)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_deploy_that_is_cut_off_is_taken_up_again(gateway: GatewayProcess, tmp_path: Path, is_async: bool) -> None:
    name = f"cutoff-{is_async}".lower()
    entry = project(tmp_path, answering(name)["app.py"])

    async def main(url: str) -> DeployDone:
        async with cpsl.AsyncClient(gateway.token, url) as client:
            return await client.deploy(entry)

    with cutting_proxy(gateway.url, [800, 0]) as proxy, gateway.client(url=proxy.url) as client:
        done = asyncio.run(main(proxy.url)) if is_async else client.deploy(entry)
        assert proxy.cuts == 2
        assert [each.deployment_id for each in client.apps.versions(name)] == [done.deployment_id]


@pytest.mark.parametrize("is_async", [False, True])
def test_the_time_for_all_of_it_ends_an_import_too(tmp_path: Path, is_async: bool) -> None:
    entry = project(tmp_path, "import time; time.sleep(60)")

    async def main() -> None:
        async with cpsl.AsyncClient("cps_x", "http://127.0.0.1:9") as client:
            await client.deploy(entry, timeout=0.4)

    began = time.monotonic()
    with cpsl.Client("cps_x", "http://127.0.0.1:9") as client, pytest.raises(cpsl.GatewayTimeout):
        asyncio.run(main()) if is_async else client.deploy(entry, timeout=0.4)
    assert time.monotonic() - began < 3
