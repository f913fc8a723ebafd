import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from cpsl import config, private_files
from cpsl.errors import ConfigError, NotFound


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_setting_comes_from_the_environment_then_the_file_then_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert config.get("gateway_port") == 1980
    config.set_value("gateway_port", "2000")
    assert config.get("gateway_port") == 2000
    monkeypatch.setenv("CAPSULE_GATEWAY_PORT", "3000")
    assert config.get("gateway_port") == 3000


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSULE_GATEWAY_PORT", "")
    assert config.get("gateway_port") == 1980


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gateway_port", "70000"),
        ("gateway_port", "http"),
        ("timeout", "0"),
        ("timeout", "nan"),
        ("max_retries", "-1"),
        ("allow_http", "perhaps"),
        ("keyring", "maybe"),
        ("public_url", "apps.example.com"),
        ("public_url", "ftp://apps.example.com"),
        ("public_url", "https://apps.example.com/capsule"),
        ("public_url", "https://apps.example.com?a=1"),
        ("public_url", "https://apps.example.com:99999"),
        ("public_url", "https://ada:hunter2@apps.example.com"),
    ],
)
def test_an_unusable_setting_names_its_origin(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = config.SETTINGS[name].env
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        config.get(name)
    assert caught.value.code == "invalid_setting"
    assert variable in (caught.value.hint or "")
    assert "hunter2" not in str(caught.value)


def test_every_setting_has_help_and_a_default_that_fits() -> None:
    for row in config.SETTINGS.values():
        assert row.help.endswith(".")
        assert row.type(row.default) == row.default


def test_profiles_are_kept_and_forgotten(home: Path) -> None:
    config.save_profile(config.Profile("local", "http://127.0.0.1:1980", "home", "me@here"))
    config.save_profile(config.Profile("work", "https://gw.example.com"), activate=False)
    loaded = config.load()
    assert loaded.active == "local"
    assert loaded.profile("work") == config.Profile("work", "https://gw.example.com")
    config.activate_profile("work")
    config.remove_profile("work")
    assert (config.load().active, list(config.load().profiles)) == (None, ["local"])
    assert (mode(home), mode(home / "config.toml")) == (0o700, 0o600)


def test_an_unknown_profile_lists_those_there_are() -> None:
    config.save_profile(config.Profile("work", "https://gw.example.com"))
    with pytest.raises(NotFound, match=r"'home'.*there are: work"):
        config.load().profile("home")


def test_what_others_wrote_into_the_file_stays(home: Path) -> None:
    config.save_profile(config.Profile("a", "https://a.example"))
    with (home / "config.toml").open("a") as file:
        file.write('[from_a_newer_version]\nkey = "value"\n')
    config.save_profile(config.Profile("b", "https://b.example"))
    assert "from_a_newer_version" in (home / "config.toml").read_text()


@pytest.mark.parametrize(
    "content", ["not = = toml", "\xff", "profiles = 3", "[profiles.x]\nurl = 1\n", "[profiles]\nx=1"]
)
def test_a_damaged_file_is_one_clear_error(content: str, home: Path) -> None:
    config.save_profile(config.Profile("a", "https://a.example"))
    (home / "config.toml").write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"config\.toml"):
        config.load()


def test_files_are_private_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        private_files.write(tmp_path / "new" / "file", b"x")
    finally:
        os.umask(before)
    assert (mode(tmp_path / "new"), mode(tmp_path / "new" / "file")) == (0o700, 0o600)


def test_a_symlink_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"untouched")
    link = tmp_path / "link"
    link.symlink_to(target)
    for refused in (partial(private_files.write, link, b"x"), partial(private_files.read, link)):
        with pytest.raises(ConfigError) as caught:
            refused()
        assert caught.value.code == "unsafe_file"
    assert target.read_bytes() == b"untouched"


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    private_files.write(path, b"x")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="0644") as caught:
        private_files.read(path)
    assert caught.value.hint == f"Run: chmod 600 {path}"
    assert private_files.read(path, secret=False) == b"x"


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(ConfigError, match="written by others"):
        private_files.write(shared / "file", b"x")


def test_a_fifo_does_not_hang_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(ConfigError, match="regular file"):
        private_files.read(tmp_path / "fifo")


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    private_files.write(path, b"old")
    with pytest.raises(TypeError):
        private_files.write(path, "text, not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_writers_at_the_same_time_lose_nothing(home: Path) -> None:
    script = (
        "import sys; from cpsl import config; config.save_profile(config.Profile(sys.argv[1], 'https://x.example'))"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, f"p{n}"]) for n in range(6)]
    assert [process.wait() for process in running] == [0] * 6
    assert sorted(config.load().profiles) == [f"p{n}" for n in range(6)]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://gw.example.com/", "https://gw.example.com"),
        ("https://gw.example.com/api/v1/", "https://gw.example.com"),
        ("gw.example.com", "https://gw.example.com"),
        ("localhost:1980", "http://localhost:1980"),
        ("http://[::1]:1980", "http://[::1]:1980"),
        ("http://app.localhost:80/base/", "http://app.localhost:80/base"),
    ],
)
def test_gateway_urls_have_one_form(given: str, meant: str) -> None:
    assert config.check_gateway_url(given) == meant


@pytest.mark.parametrize(
    "url",
    [
        "", "https://", "ftp://x", "https://user:hunter2@x", "https://x?q=1", "https://x#f", "https://x:99999",
        "https://x:y", "https://a b", "http://[::1", "https://x\n.y", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_what_is_no_gateway_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.check_gateway_url(url)
    assert caught.value.code == "invalid_gateway_url"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://203.0.113.1", "http://gw.example.com", "http://localhost.evil.example"])
def test_plain_http_to_another_machine_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError) as caught:
        config.check_gateway_url(url)
    assert caught.value.code == "insecure_gateway"
    monkeypatch.setenv("CAPSULE_ALLOW_HTTP", "1")
    assert config.check_gateway_url(url) == url


def test_paths_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSULE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CAPSULE_STATE_DIR", str(tmp_path / "state"))
    assert (config.data_dir(), config.state_dir()) == (tmp_path / "data", tmp_path / "state")
    monkeypatch.delenv("CAPSULE_DATA_DIR")
    assert config.data_dir().name == "capsule"


@pytest.mark.parametrize(("name", "value"), [("timeout", "soon"), ("gateway_port", "http"), ("max_retries", "1.5")])
def test_what_is_no_number_is_said_in_plain_words(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"CAPSULE_{name.upper()}", value)
    with pytest.raises(ConfigError, match=r"is no (whole )?number"):
        config.get(name)
