"""Archives as nobody should send them: refused whole, and nothing of them stays."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from collections.abc import Iterator

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.processes import eventually
from tests.support.projects import answering, archive, debris, failed, packed

REFUSED: dict[str, bytes] = {
    "dots": packed(("../x", b"x", b"0")),
    "inner dots": packed(("a/../../x", b"x", b"0")),
    "absolute": packed(("/tmp/x", b"x", b"0")),
    "backslash": packed(("..\\x", b"x", b"0")),
    "drive": packed(("C:\\x", b"x", b"0")),
    "newline": packed(("a\nb", b"x", b"0")),
    "not utf-8": packed(("a\udcff", b"x", b"0")),
    "long": packed(("a" * 256, b"x", b"0")),
    "symbolic link": packed(("x", b"", b"2")),
    "hard link": packed(("x", b"", b"1")),
    "fifo": packed(("x", b"", b"6")),
    "device": packed(("x", b"", b"3")),
    "twice": packed(("x", b"x", b"0"), ("x", b"y", b"0")),
    "case twins": packed(("x", b"x", b"0"), ("X", b"y", b"0")),
    "unicode twins": packed(("\u00e9", b"x", b"0"), ("e\u0301", b"y", b"0")),
    "deep": packed(("/".join("a" * 40), b"x", b"0")),
    "truncated": archive(answering("cut"))[:-20],
    "trailing data": archive(answering("cut")) + b"more",
    "flipped": archive(answering("cut"))[:40] + b"\xff\xff" + archive(answering("cut"))[42:],
    "no archive": b"PK\x03\x04 not a tar",
    "empty": b"",
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_archives_that_are_refused_whole(gateway: GatewayProcess, content: bytes) -> None:
    error = failed(gateway, content)
    assert error.code == "invalid_bundle"
    assert error.hint


def test_a_nul_ends_a_name(gateway: GatewayProcess) -> None:
    header = bytearray(tarfile.TarInfo("app.py@../../x").tobuf(tarfile.USTAR_FORMAT))
    header[6] = 0
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    error = failed(gateway, gzip.compress(bytes(header) + bytes(1024)))
    assert error.code == "symbol_missing"  # what follows the NUL is padding: app.py is there, and empty


def test_a_bomb_ends_at_its_lid(gateway: GatewayProcess) -> None:
    info = tarfile.TarInfo("zeros")
    info.size = 1 << 30
    squeezed = io.BytesIO()
    with gzip.GzipFile(fileobj=squeezed, mode="wb", compresslevel=1) as file:
        file.write(info.tobuf())
    began = time.monotonic()
    assert failed(gateway, squeezed.getvalue()).code == "bundle_too_large"
    assert time.monotonic() - began < 10


def test_an_interrupted_upload_leaves_nothing(gateway: GatewayProcess) -> None:
    before = debris(gateway)

    def half() -> Iterator[bytes]:
        yield archive(answering("half"))[:100]
        assert eventually(lambda: debris(gateway) != before)
        raise OSError("the cable is out")

    with gateway.http() as http, pytest.raises(OSError, match="cable"):
        http.post("/deploys", params={"entry": "app.py:app"}, content=half())
    assert eventually(lambda: debris(gateway) == before)
