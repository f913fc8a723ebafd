from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cpsl
from cpsl.app import secret as secret_module
from cpsl.wire.apps import AppSpec, ChannelSpec, CollectionSpec, DataSpec, IntegrationSpec, MountSpec

ID = cpsl.Secret("GH_ID")
HERE = "https://acme.example/oauth"
KEY = cpsl.Secret("GH_KEY")


@pytest.fixture(autouse=True)
def _fresh_names() -> Iterator[None]:
    secret_module.forget_all()
    yield
    secret_module.forget_all()


def test_the_spec_tells_all_that_is_declared() -> None:
    app = cpsl.App(
        name="support-ops",
        image=cpsl.Image(python_packages=["openai"], apt_packages=["jq"]).add_commands(["true"]),
        channels=[cpsl.Channel("support-telegram"), cpsl.Chat(), cpsl.API()],
        secrets=["OPENAI_API_KEY", cpsl.Secret.from_name("OTHER")],
        filesystems={"/data": cpsl.FileSystem("reports")},
        keep_warm_seconds=60,
        cpu=1,
        memory=1024,
        gpu="A100:2",
        price=500,
        pricing_type="monthly",
        description="Helps",
    )
    app.add_integration("github", client_id=cpsl.Secret.from_name("GH_ID"), client_secret=KEY, scopes=["repo"])
    app.add_integration(cpsl.AWS())
    app.collection("threads", scope="user")

    async def threads(ctx: cpsl.RequestContext) -> None: ...

    app.data("threads", access="authenticated")(threads)

    assert app.spec() == AppSpec(
        name="support-ops",
        image=cpsl.Image(python_packages=["openai"], apt_packages=["jq"], commands=["true"]).spec(),
        channels=[ChannelSpec("resource", "support-telegram"), ChannelSpec("chat"), ChannelSpec("api")],
        secrets=["OPENAI_API_KEY", "OTHER"],
        references=["GH_ID"],
        mounts=[MountSpec("/data", "reports")],
        integrations=[
            IntegrationSpec("github", "oauth", "GH_ID", "GH_KEY", ["repo"]),
            IntegrationSpec("aws", "form"),
        ],
        data=[DataSpec("threads", "authenticated")],
        collections=[CollectionSpec("threads", "user")],
        keep_warm_seconds=60,
        cpu=1.0,
        memory=1024,
        gpu="A100:2",
        price=500,
        pricing_type="monthly",
        description="Helps",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Bad Name"},
        {"name": ""},
        {"image": "python:3"},
        {"channels": "telegram"},
        {"channels": ["telegram"]},
        {"secrets": "OPENAI_API_KEY"},
        {"secrets": ["A B"]},
        {"secrets": ["PATH"]},
        {"filesystems": {"data": cpsl.FileSystem("x")}},
        {"filesystems": {"/data": "x"}},
        {"filesystems": {"/etc": cpsl.FileSystem("x")}},
        {"filesystems": {"/app/data": cpsl.FileSystem("x")}},
        {"filesystems": {"/d": cpsl.FileSystem("x"), "/d/e": cpsl.FileSystem("y")}},
        {"filesystems": [cpsl.FileSystem("x")]},
        {"keep_warm_seconds": -1},
        {"keep_warm_seconds": True},
        {"cpu": 0},
        {"cpu": float("nan")},
        {"memory": 0.5},
        {"gpu": "two T4"},
        {"price": -1},
        {"pricing_type": "weekly"},
        {"npm_packages": "react"},
        {"description": None},
    ],
)
def test_parameters_that_cannot_be_right(wrong: dict[str, Any]) -> None:
    parameters = {"name": "demo", **wrong}
    with pytest.raises(ValueError, match=r"\w") as caught:
        cpsl.App(**parameters)
    assert isinstance(caught.value, cpsl.InvalidRequest)
    assert caught.value.hint or ". " in caught.value.message


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        (("github",), "needs client_id"),
        ({"of": "github", "client_id": ID}, "needs client_secret"),
        ({"of": "github", "client_id": "abc", "client_secret": KEY}, "plain string"),
        ({"of": "aws", "client_id": ID}, "which is a form"),
        ({"of": "aws", "scopes": ["a"]}, "which is a form"),
        ({"of": "mine", "fields": []}, "has no fields"),
        ({"of": "mine"}, "no integration that"),
        ({"of": "mine", "fields": "api_key"}, "must be a list"),
        ({"of": "mine", "fields": ["a b"]}, "A field"),
        ({"of": "mine", "fields": ["a", "a"]}, "twice"),
        ({"of": "mine", "fields": ["a"], "client_secret": KEY}, "which is a form"),
        ({"of": cpsl.AWS(), "scopes": ["a"]}, "more parameters"),
        ({"of": cpsl.GitHub(client_id=ID, client_secret=KEY), "client_id": ID}, "more parameters"),
        ({"of": cpsl.IntegrationConfig("github", mode="magic")}, "mode"),
        ({"of": "a b"}, "cannot name a"),
        ({"of": "acme", "client_id": ID, "authorize_url": HERE}, "no integration that"),
        ({"of": "github", "client_id": ID, "client_secret": KEY, "token_url": HERE}, "knows where 'github' is"),
        ({"of": "acme", "fields": ["a"], "token_url": HERE}, "which is a form"),
        ({"of": cpsl.AWS(), "authorize_url": HERE}, "more parameters"),
    ],
)
def test_integrations_that_cannot_be_right(parameters: Any, says: str) -> None:
    given = dict(parameters) if isinstance(parameters, dict) else {"of": parameters[0]}
    with pytest.raises(ValueError, match=says) as caught:
        cpsl.App("demo").add_integration(given.pop("of"), **given)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://acme.example/token", "https://"),
        ("http://169.254.169.254/latest", "https://"),
        ("ftp://acme.example", "https://"),
        ("javascript:alert(1)", "is not a URL"),
        ("//acme.example/token", "https://"),
        ("https://", "is not a URL"),
        ("https://acme.example:0/", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://acme.example/a b", "is not a URL"),
        ("https://acme.example/\r\nHost: x", "is not a URL"),
        ("https://ácme.example/", "is not a URL"),
        ("https://user:pass@acme.example/", "user name or a fragment"),
        ("https://acme.example/#x", "user name or a fragment"),
        (7, "is no text"),
    ],
)
@pytest.mark.parametrize("parameter", ["authorize_url", "token_url", "revoke_url", "issuer"])
def test_endpoints_that_are_not_safe(parameter: str, url: Any, says: str) -> None:
    given: Any = {"authorize_url": HERE, "token_url": HERE, parameter: url}
    with pytest.raises(ValueError, match=says) as caught:
        cpsl.App("demo").add_integration("acme", client_id=ID, **given)
    assert parameter in str(caught.value)


def test_a_provider_of_your_own() -> None:
    app = cpsl.App("demo")
    app.add_integration("acme", client_id=ID, scopes=["a"], authorize_url=HERE, token_url="http://127.0.0.1:9/token")
    spec = app.integrations["acme"]
    assert (spec.mode, spec.client_secret, spec.token_url) == ("oauth", "", "http://127.0.0.1:9/token")


def test_all_ways_to_name_an_integration() -> None:
    app = cpsl.App("demo")
    app.add_integration(cpsl.Integration.TAILSCALE)
    app.add_integration("mine", fields=["api_key", "region"])
    app.add_integration(cpsl.Outlook(client_id=ID, client_secret=KEY, scopes=["Mail.Read"]))
    kinds = [cpsl.Google, cpsl.Gmail, cpsl.GoogleCalendar, cpsl.GoogleDrive, cpsl.GitHub, cpsl.Linear]
    for kind in kinds:
        app.add_integration(kind(client_id=ID, client_secret=KEY))
    assert list(app.integrations) == [
        "tailscale", "mine", "outlook", "google", "gmail", "gcal", "gdrive", "github", "linear",
    ]  # fmt: skip
    assert app.integrations["mine"] == IntegrationSpec("mine", "form", fields=["api_key", "region"])
    assert app.integrations["outlook"].scopes == ["Mail.Read", "offline_access"]
    assert cpsl.Tailscale(advertise_tags=True).spec().fields == ["auth_key", "advertise_tags"]
    with pytest.raises(ValueError, match="twice"):
        app.add_integration("mine", fields=["other"])


def test_handlers_never_replace_what_the_app_can_do() -> None:
    app = cpsl.App("demo")

    def data(session: Any, msg: Any) -> None: ...

    def spec() -> None: ...

    app.message()(data)
    app.data("spec")(spec)
    app.data("more")(spec)
    assert app.spec().data == [DataSpec("spec"), DataSpec("more")]
    assert app.handlers.message is not None
    assert app.handlers.message.function is data


def test_handlers_that_cannot_be_called() -> None:
    app: Any = cpsl.App("demo")
    cases: list[Callable[[], Any]] = [
        lambda: app.message(len),
        lambda: app.boot(print),
        lambda: app.message("chat"),
        lambda: app.message()(lambda a, b, c: None),
        lambda: app.message()(lambda *, needed: None),
        lambda: app.boot()(lambda session: None),
        lambda: app.message()("no function"),
        lambda: app.data("a b")(lambda: None),
        lambda: app.data("x", access="secret")(lambda: None),
        lambda: app.data("x")(lambda *values: None),
    ]
    for case in cases:
        with pytest.raises(ValueError, match=r"\w"):
            case()
    app.data("twice")(lambda: None)
    with pytest.raises(ValueError, match="two data handlers"):
        app.data("twice")(lambda: None)


def test_collections_are_declared_once() -> None:
    app = cpsl.App("demo")
    assert app.collection("notes") is app.collection("notes")
    wrong: list[Callable[[], Any]] = [
        lambda: app.collection("notes", scope="user"),
        lambda: app.collection("x", scope="all"),
        lambda: app.collection("_kv"),
        lambda: cpsl.Column("a", type="colour"),
    ]
    for declare in wrong:
        with pytest.raises(ValueError, match=r"\w"):
            declare()


def test_inline_channels_are_deprecated_and_take_secrets_only() -> None:
    with pytest.warns(DeprecationWarning, match="capsule channel create"):
        channel = cpsl.Telegram(cpsl.Secret.from_name("BOT"))
    assert channel.spec() == ChannelSpec("telegram", config={"bot_token": "BOT"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert cpsl.Slack(ID, KEY).spec().config == {"bot_token": "GH_ID", "signing_secret": "GH_KEY"}
        assert list(cpsl.WhatsApp(ID, KEY, ID).spec().config) == ["access_token", "phone_number_id", "verify_token"]
        with pytest.raises(ValueError, match="must be a secret") as caught:
            cpsl.Telegram("123:token")
    assert "123:token" not in str(caught.value)


def test_images(tmp_path: Any) -> None:
    listed = tmp_path / "requirements.txt"
    listed.write_text("# comment\n\nhttpx>=0.28  # inline\nopenai\n")
    assert cpsl.Image(python_packages=str(listed)).python_packages == ["httpx>=0.28", "openai"]
    with pytest.raises(FileNotFoundError):
        cpsl.Image(python_packages="nope.txt")
    wrong: Any
    for wrong in ({"apt_packages": "jq"}, {"commands": [1]}, {"python_packages": [""]}):
        with pytest.raises(ValueError, match="list of text"):
            cpsl.Image(**wrong)


def test_every_public_name_of_the_app_side_loads_without_the_client() -> None:
    code = (
        "import sys, cpsl\n"
        "names = [name for name, home in cpsl._HOME.items() if home.startswith(('cpsl.app', 'cpsl.errors'))]\n"
        "for name in names: getattr(cpsl, name)\n"
        "assert not {'httpx', 'rich', 'cpsl.client', 'cpsl.gateway', 'cpsl.runtime'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_examples_of_the_page_about_integrations() -> None:
    page = Path(__file__).parents[2] / "docs" / "integrations.md"
    declared: list[str] = []
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        names: dict[str, Any] = {}
        exec(compile(block, str(page), "exec"), names)
        declared += names["app"].integrations
    assert declared == ["github", "aws", "crm", "acme"]
