import os
import stat
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpsl import config, private_files
from cpsl.auth import store
from cpsl.errors import ConfigError

BACKEND = """
    import os, time, pathlib
    from keyring.backend import KeyringBackend
    from keyring.errors import PasswordDeleteError

    class FileKeyring(KeyringBackend):
        priority = 9
        folder = pathlib.Path(os.environ.get("FAKE_KEYRING", "/nonexistent"))

        def _do(self):
            behaviour = os.environ.get("FAKE_KEYRING_DOES", "")
            if behaviour == "hang":
                time.sleep(60)
            if behaviour == "fail":
                raise RuntimeError("locked")

        def set_password(self, service, name, value):
            self._do()
            (self.folder / f"{service}-{name}").write_text(value)

        def get_password(self, service, name):
            self._do()
            path = self.folder / f"{service}-{name}"
            return path.read_text() if path.exists() else None

        def delete_password(self, service, name):
            self._do()
            path = self.folder / f"{service}-{name}"
            if not path.exists():
                raise PasswordDeleteError("not there")
            path.unlink()
"""


@pytest.fixture
def keyring_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real keyring backend, registered the way any is, that keeps its entries in a folder."""
    import keyring
    from keyring.core import load_keyring

    folder = tmp_path / "keyring"
    folder.mkdir()
    site = tmp_path / "site"
    site.mkdir()
    (site / "fake_keyring_backend.py").write_text(textwrap.dedent(BACKEND))
    monkeypatch.setenv("FAKE_KEYRING", str(folder))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "fake_keyring_backend.FileKeyring")
    monkeypatch.setenv("CAPSULE_KEYRING", "on")
    monkeypatch.syspath_prepend(site)
    sys.modules.pop("fake_keyring_backend", None)
    before = keyring.get_keyring()
    keyring.set_keyring(load_keyring("fake_keyring_backend.FileKeyring"))
    yield folder
    keyring.set_keyring(before)


def test_without_a_keyring_it_is_a_file_for_the_owner(home: Path) -> None:
    before = os.umask(0)
    try:
        where = store.write("token:local", "cps_1")
    finally:
        os.umask(before)
    assert where == str(home / "credentials.json")
    assert store.read("token:local") == ("cps_1", where)
    assert stat.S_IMODE(Path(where).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    store.delete("token:local")
    store.delete("token:local")
    assert store.read("token:local") is None


def test_names_do_not_touch_each_other() -> None:
    store.write("token:a", "1")
    store.write("token:b", "2")
    store.write("token:a", "3")
    store.delete("token:b")
    assert (store.read("token:a") or [""])[0] == "3"
    assert store.read("token:b") is None


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": 1}', b"\xff"])
def test_a_damaged_file_is_one_clear_error(content: bytes, home: Path) -> None:
    private_files.write(home / "credentials.json", content)
    with pytest.raises(ConfigError, match="damaged"):
        store.read("token:a")


def test_a_file_open_to_others_is_refused() -> None:
    path = Path(store.write("token:a", "1"))
    path.chmod(0o640)
    with pytest.raises(ConfigError) as caught:
        store.read("token:a")
    assert caught.value.code == "unsafe_file"


def test_the_keyring_keeps_it_when_it_works(keyring_folder: Path, home: Path) -> None:
    assert store.write("token:a", "1") == store.KEYRING
    assert store.read("token:a") == ("1", store.KEYRING)
    assert not (home / "credentials.json").exists()
    store.delete("token:a")
    store.delete("token:a")
    assert os.listdir(keyring_folder) == []


def test_a_fresh_token_survives_a_keyring_that_fails(keyring_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write("token:a", "old")
    monkeypatch.setenv("FAKE_KEYRING_DOES", "fail")
    where = store.write("token:a", "fresh")
    assert where == str(store.file_path())
    monkeypatch.delenv("FAKE_KEYRING_DOES")
    assert store.read("token:a") == ("fresh", where)
    assert store.write("token:a", "newer") == store.KEYRING
    assert store.read("token:a") == ("newer", store.KEYRING)


def test_a_keyring_that_fails_to_read_says_so(keyring_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write("token:a", "1")
    monkeypatch.setenv("FAKE_KEYRING_DOES", "fail")
    with pytest.raises(ConfigError) as caught:
        store.read("token:a")
    assert caught.value.code == "keyring_failed"


def test_the_probe_is_made_once_and_remembered(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSULE_KEYRING", "auto")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    assert store.write("token:a", "1") == str(store.file_path())
    assert config.load().keyring_works is False
    monkeypatch.setenv("CAPSULE_KEYRING_TIMEOUT", "nonsense")  # would fail if it were read again
    assert store.keyring_works() is False


def test_a_hanging_probe_is_ended(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    monkeypatch.setenv("CAPSULE_KEYRING_TIMEOUT", "0.2")
    assert store.probe() is False
