from pathlib import Path

import pytest

from cpsl import auth, config, private_files
from cpsl.auth import local, store
from cpsl.errors import ConfigError, NotFound, NotLoggedIn

LOCAL = "http://127.0.0.1:1980"


def logged_in(name: str, url: str = LOCAL, token: str = "cps_stored", *, activate: bool = True) -> None:
    config.save_profile(config.Profile(name, url), activate=activate)
    store.write(f"token:{name}", token)


def test_nobody_is_told_to_log_in() -> None:
    with pytest.raises(NotLoggedIn) as caught:
        auth.resolve()
    assert "capsule login" in (caught.value.hint or "")


def test_arguments_alone_are_enough_and_read_no_config(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private_files.write(home / "config.toml", b"not = = toml")
    monkeypatch.setenv("CAPSULE_PROFILE", "nowhere")
    found = auth.resolve("cps_a", "https://gw.example.com/")
    assert (found.token, found.gateway_url, found.source) == ("cps_a", "https://gw.example.com", "argument")


def test_the_order_of_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    logged_in("work", "https://work.example")
    assert auth.resolve().source == f"file {store.file_path()} (profile work)"
    monkeypatch.setenv("CAPSULE_TOKEN", "cps_env")
    assert auth.resolve().token == "cps_env"
    assert auth.resolve().source == "environment variable CAPSULE_TOKEN"
    assert auth.resolve().gateway_url == "https://work.example"
    assert auth.resolve("cps_arg").token == "cps_arg"
    monkeypatch.setenv("CAPSULE_GATEWAY_URL", "https://env.example")
    assert auth.resolve().gateway_url == "https://env.example"
    assert auth.resolve(gateway_url="https://arg.example").gateway_url == "https://arg.example"
    assert auth.resolve(profile="work").token == "cps_stored"


def test_profiles_chosen_and_fallen_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    logged_in("local", activate=False)
    assert auth.resolve().profile == "local"
    logged_in("work", "https://work.example", "cps_work")
    assert auth.resolve().token == "cps_work"
    monkeypatch.setenv("CAPSULE_PROFILE", "local")
    assert auth.resolve().token == "cps_stored"
    assert auth.resolve(profile="work").token == "cps_work"
    with pytest.raises(NotFound, match="local, work"):
        auth.resolve(profile="none")


def test_a_profiles_token_goes_to_no_other_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    logged_in("local")
    assert auth.resolve(gateway_url=f"{LOCAL}/").token == "cps_stored"
    with pytest.raises(NotLoggedIn, match="evil"):
        auth.resolve(gateway_url="https://evil.example")
    monkeypatch.setenv("CAPSULE_GATEWAY_URL", "https://evil.example")
    with pytest.raises(NotLoggedIn):
        auth.resolve()


def test_a_token_without_a_url_goes_to_this_machine() -> None:
    assert auth.resolve("cps_a").gateway_url == LOCAL


@pytest.mark.parametrize("token", ["", "  ", "a b", "a\nb", "schlüssel", "a\x00"])
def test_what_cannot_be_a_token_is_refused(token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        auth.resolve(token, LOCAL)
    assert caught.value.code == "invalid_token"


def test_plain_http_to_another_machine_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        auth.resolve("cps_a", "http://203.0.113.1")
    assert caught.value.code == "insecure_gateway"


def test_no_token_in_a_repr() -> None:
    assert "cps_canary" not in repr(auth.resolve("cps_canary", LOCAL))


def test_the_bootstrap_file(tmp_path: Path) -> None:
    assert local.read_bootstrap(tmp_path) is None
    path = tmp_path / "bootstrap.json"
    private_files.write(path, b'{"gateway_url": "http://127.0.0.1:1980", "bootstrap_secret": "canary"}')
    found = local.read_bootstrap(tmp_path)
    assert found is not None
    assert found.bootstrap_secret == "canary"
    assert "canary" not in repr(found)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="0644"):
        local.read_bootstrap(tmp_path)
    private_files.write(path, b"{}")
    with pytest.raises(ConfigError, match="damaged"):
        local.read_bootstrap(tmp_path)
