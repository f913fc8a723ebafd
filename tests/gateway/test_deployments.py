"""A deploy is done once however often its answer is lost, and what became of it is there to be asked for."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest

import cpsl
from cpsl.gateway.apps import deployment_rows as rows
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.migrate import migrate
from cpsl.gateway.db.schema import workspaces
from cpsl.wire.apps import DeployDone, DeployError, DeployEvent, DeployLog, DeployStatus
from tests.support.gateway import GatewayProcess
from tests.support.projects import answering, archive, succeeded
from tests.support.proxy import cutting_proxy

NAMES = (f"again-{number}" for number in itertools.count())
TALKING = "for number in range(20): print('line', number)\n"
BROKEN = {"app.py": "import cpsl\nraise RuntimeError('not today')\n"}


@pytest.mark.parametrize("cuts", [[0], [150], [600], [900], [0, 0, 0], [600, 0, 700, 300]], ids=str)
def test_a_deploy_whose_answer_is_lost_is_done_once_and_told_without_a_seam(
    gateway: GatewayProcess, cuts: list[int]
) -> None:
    name = next(NAMES)
    with cutting_proxy(gateway.url, cuts) as proxy, gateway.client(url=proxy.url) as client:
        events = [*client.deploys.create(archive(answering(name, before=TALKING)), "app.py:app")]
    assert proxy.cuts == len(cuts)
    assert [event.line for event in events if isinstance(event, DeployLog)] == [f"line {n}" for n in range(20)]
    with gateway.client() as client:
        assert events[-1] == DeployDone(name, 1, f"{gateway.url}/a/{name}", client.deploys.list(name)[0].deployment_id)
        assert [each.version for each in client.apps.versions(name)] == [1]
        assert len(client.deploys.list(name)) == 1


def test_an_archive_that_can_be_read_once_is_sent_once(gateway: GatewayProcess) -> None:
    pieces = iter([archive(answering(next(NAMES)))])
    with cutting_proxy(gateway.url, [0]) as proxy, gateway.client(url=proxy.url) as client:
        with pytest.raises(cpsl.ConnectionFailed):
            list(client.deploys.create(pieces, "app.py:app"))


def test_a_key_is_for_one_deploy_of_one_account(gateway: GatewayProcess) -> None:
    name = next(NAMES)
    project = archive(answering(name))

    def deploy(client: cpsl.Client, project: bytes, app: str = "", key: str = "mine") -> DeployEvent:
        return [*client.deploys.create(project, "app.py:app", app=app, idempotency_key=key)][-1]

    with gateway.client() as client, gateway.client(gateway.member("deploys@example.com", "elsewhere")) as other:
        first = deploy(client, project)
        assert deploy(client, project) == first
        for other_body, app in ((project, name), (project + b"\0", "")):
            with pytest.raises(cpsl.InvalidRequest) as caught:
                deploy(client, other_body, app)
            assert caught.value.code == "idempotency_key_reused"
        assert [each.version for each in client.apps.versions(name)] == [1]
        theirs = deploy(other, project)
        assert isinstance(first, DeployDone)
        assert isinstance(theirs, DeployDone)
        assert theirs.deployment_id != first.deployment_id
        with pytest.raises(cpsl.NotFound):
            other.deploys.get(first.deployment_id)
        with pytest.raises(cpsl.InvalidRequest):
            deploy(client, project, key="a\tb")


def test_the_same_key_at_once_is_one_deploy(gateway: GatewayProcess) -> None:
    name, done = next(NAMES), list[DeployEvent]()
    project = archive(answering(name, before="import time; time.sleep(0.3)\n"))

    def deploy() -> None:
        with gateway.client() as client:
            done.extend([*client.deploys.create(project, "app.py:app", idempotency_key=f"{name}-key")][-1:])

    threads = [threading.Thread(target=deploy) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(done) == 4
    assert set(map(str, done)) == {str(done[0])}
    assert isinstance(done[0], DeployDone)
    assert done[0].version == 1


def test_what_failed_is_there_to_ask_for_with_its_error(gateway: GatewayProcess) -> None:
    name = next(NAMES)
    with gateway.client() as client:
        with pytest.raises(cpsl.DeployFailed) as caught:
            list(client.deploys.create(archive(BROKEN), "app.py:app", app=name))
        [found] = client.deploys.list(name)
        assert (found.state, found.app, found.version, found.url, found.entry) == ("failed", name, 0, "", "app.py:app")
        assert found.error is not None
        assert (found.error.code, found.error.message) == (caught.value.code, caught.value.message)
        assert "not today" in found.error.traceback
        assert client.deploys.get(found.deployment_id) == found
        with pytest.raises(cpsl.DeployFailed):
            list(client.deploys.events(found.deployment_id))
        with pytest.raises(cpsl.NotFound):
            client.deploys.list("never-heard-of")
        with pytest.raises(cpsl.NotFound) as unknown:
            client.deploys.get("ver_none")
        assert unknown.value.code == "deployment_not_found"


def test_secrets_are_not_in_what_is_kept_of_a_failure(gateway: GatewayProcess) -> None:
    name, code = next(NAMES), "import os\nraise RuntimeError(os.environ['KEPT_SECRET'])\n"
    with gateway.client() as client:
        client.secrets.create({"KEPT_SECRET": "hunter2-hunter2"})
        with pytest.raises(cpsl.DeployFailed):
            list(client.deploys.create(archive({"app.py": code}), "app.py:app", app=name, secrets=["KEPT_SECRET"]))
        assert "hunter2" not in repr(client.deploys.list(name))


def test_it_can_be_watched_from_anywhere(gateway: GatewayProcess) -> None:
    name = next(NAMES)
    with gateway.client() as client, gateway.client() as other:
        slow = archive(answering(name, before=f"{TALKING}import time; time.sleep(0.5)\n"))
        events = client.deploys.create(slow, "app.py:app")
        first = next(events)
        assert isinstance(first, DeployStatus)
        assert client.deploys.get(first.deployment_id).state == "running"
        watched = [*other.deploys.events(first.deployment_id, after=1)]
        assert watched == [*events]
        assert [*other.deploys.events(first.deployment_id)] == [first, *watched]


def test_what_became_of_deploys_outlives_the_gateway(own_gateway: GatewayProcess) -> None:
    done = succeeded(own_gateway, answering("lasting"))
    with own_gateway.client() as client:
        with pytest.raises(cpsl.DeployFailed) as caught:
            list(client.deploys.create(archive(BROKEN), "app.py:app", app="lasting"))
        slow = archive(answering("lasting", "second", "import time; time.sleep(30)\n"))
        begun = next(client.deploys.create(slow, "app.py:app", app="lasting"))
        assert isinstance(begun, DeployStatus)
        own_gateway.kill()
        own_gateway.start()
        cut, broken, first = client.deploys.list("lasting")
        assert (first.state, first.version, first.url) == ("done", 1, done.url)
        assert (cut.state, cut.error and cut.error.code) == ("failed", "deploy_interrupted")
        assert [*client.deploys.events(done.deployment_id)] == [done]
        assert (broken.error and broken.error.traceback) == caught.value.traceback
        client.apps.delete("lasting")
        with pytest.raises(cpsl.NotFound):
            client.deploys.get(done.deployment_id)


def test_a_client_waits_through_a_restart_in_order(own_gateway: GatewayProcess) -> None:
    """What is under way when a gateway is told to stop is finished first; who was cut off meanwhile hears of it."""
    slow = archive(answering("patient", before="import time; time.sleep(1)\n"))
    with cutting_proxy(own_gateway.url, []) as proxy, own_gateway.client(url=proxy.url) as client:
        events = client.deploys.create(slow, "app.py:app")
        next(events)
        proxy.hang_up()
        own_gateway.stop()
        own_gateway.start()
        last = [*events][-1]
    assert isinstance(last, DeployDone)
    assert (last.app, last.version) == ("patient", 1)


@pytest.fixture
def db(store_url: str) -> Any:
    database = Database(store_url)
    migrate(database.engine)
    with database.engine.begin() as connection:
        row = {"id": "wsp_1", "name": "one", "data_key": b"", "created_at": 0.0}
        connection.execute(workspaces.insert().values(row))
    yield database
    database.close()


def test_what_is_kept_is_bounded_in_number(db: Database) -> None:
    new = rows.NewDeployment("wsp_1", "acc_1", "app", "app.py:app", None, b"")
    with db.engine.begin() as connection:
        for number in range(rows.KEPT + 20):
            id = rows.begin(connection, f"ver_{number:04}", new)
            if number != 3:
                rows.end(connection, id, DeployError("x", "y", traceback="z" * 100_000))
        found = rows.of_app(connection, "wsp_1", "app")
        assert [row.id for row in found] == [*(f"ver_{n:04}" for n in range(rows.KEPT + 19, 19, -1)), "ver_0003"]
        assert len(found[0].error["traceback"]) < 50_000
