"""Mail to people of apps: by SMTP, with addresses of any script; and when there is no server, or it does not answer."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from cpsl.errors import ConfigError
from cpsl.gateway.settings import Settings
from cpsl.gateway.users.mail import Mailer, Smtp, smtp_of
from tests.support.mail import post_office
from tests.support.servers import free_port

SENDER = "Apps <apps@example.com>"


async def _send(smtp: Smtp, to: str) -> None:
    mailer = Mailer(smtp)
    mailer.send(to, "Bücher — a subject", "Hello\n\nhttps://example.com/link\n")
    await mailer.close(2.0)


@pytest.mark.parametrize("to", ["ann@example.com", "josé@example.com", "用户@xn--fiqs8s.example"])
def test_a_mail_arrives(to: str) -> None:
    with post_office() as office:
        asyncio.run(_send(Smtp("127.0.0.1", office.port, sender=SENDER, tls="none"), to))
        found = office.wait_for(to)
    assert found["Subject"] == "Bücher — a subject"
    assert found["From"] == SENDER
    assert "https://example.com/link" in found.get_content()
    assert found["Auto-Submitted"] == "auto-generated"


def test_a_server_that_is_not_there_is_told_of_without_the_text(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(_send(Smtp("127.0.0.1", free_port(), sender=SENDER, tls="none"), "ann@example.com"))
    assert "a mail to ann@example.com was not sent (try 1): ConnectionRefusedError" in caplog.text
    assert "https://example.com/link" not in caplog.text


def test_a_server_without_encryption_gets_nothing_when_that_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with post_office() as office:
        smtp = Smtp("127.0.0.1", office.port, "ann", "the password", SENDER)
        asyncio.run(_send(smtp, "ann@example.com"))
        assert office.messages == []
    assert "SMTPNotSupportedError" in caplog.text
    assert "the password" not in caplog.text + repr(smtp)


def test_without_a_server_a_mail_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    asyncio.run(_send(Smtp(), "ann@example.com"))
    assert "To: ann@example.com" in caplog.text
    assert "https://example.com/link" in caplog.text


def test_the_settings_of_a_server(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    settings = Settings(
        data_dir=tmp_path, smtp_host="mail", smtp_from="a@b.c", smtp_password_file=str(tmp_path / "password")
    )
    assert smtp_of(settings).password == "secret"
    for wrong in ({"smtp_from": ""}, {"smtp_from": "a@b\nBcc: c"}, {"smtp_password_file": str(tmp_path / "none")}):
        chosen = {"smtp_host": "mail", "smtp_from": "a@b.c"} | wrong
        with pytest.raises(ConfigError) as refused:
            smtp_of(Settings(data_dir=tmp_path, **chosen))  # type: ignore[arg-type]
        assert refused.value.code == "invalid_smtp"
