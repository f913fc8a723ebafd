"""Sends mail by SMTP; without a server it is written to the gateway's log, for whoever runs it to pass on."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate, make_msgid
from pathlib import Path

import msgspec

from cpsl.errors import ConfigError
from cpsl.gateway.settings import Settings

log = logging.getLogger("cpsl.gateway.mail")
_SECONDS = 20.0
_TRIES = 3
_WAIT_SECONDS = 5.0
_MOST_WAITING = 1000


class Smtp(msgspec.Struct, frozen=True):
    """A mail server, as the operator's settings say; no ``host``: there is none. ``password`` is not in the repr."""

    host: str = ""
    port: int = 587
    user: str = ""
    password: str = ""
    sender: str = ""
    tls: str = "starttls"

    def __repr__(self) -> str:
        return f"Smtp({self.host!r}, {self.port}, {self.user!r}, tls={self.tls!r})"


class Mailer:
    """Sends mail in the background: nobody's answer waits for it, or takes longer because there is one."""

    def __init__(self, smtp: Smtp) -> None:
        self._smtp = smtp
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, to: str, subject: str, text: str) -> None:
        """Send a mail, soon. One that cannot be sent is tried again, then told of in the log, without its text."""
        if not self._smtp.host:
            log.info(
                "no mail server is set (smtp_host), so this mail is only here\nTo: %s\n%s\n\n%s", to, subject, text
            )
            return
        if len(self._sending) >= _MOST_WAITING:
            log.error("too many mails wait to be sent; one to %s was dropped", to)
            return
        task = asyncio.create_task(self._send(_message(self._smtp.sender, to, subject, text), to))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self, timeout: float) -> None:
        """Wait for what is being sent, ``timeout`` seconds at most."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=timeout)
        for task in self._sending:
            task.cancel()

    async def _send(self, message: EmailMessage, to: str) -> None:
        for attempt in range(_TRIES):
            try:
                await asyncio.to_thread(_deliver, self._smtp, message)
                return
            except (OSError, smtplib.SMTPException) as error:
                log.error("a mail to %s was not sent (try %d): %s", to, attempt + 1, type(error).__name__)
            if attempt < _TRIES - 1:
                await asyncio.sleep(_WAIT_SECONDS * (attempt + 1))


def _message(sender: str, to: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP if to.isascii() else SMTPUTF8)
    message["From"] = sender
    message["To"] = Address(addr_spec=to) if to.isascii() else to
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].strip("> ") or "localhost")
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notices, please
    message.set_content(text)
    return message


def _deliver(smtp: Smtp, message: EmailMessage) -> None:
    context = ssl.create_default_context() if smtp.tls != "none" else None
    if smtp.tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=_SECONDS, context=context)
    else:
        server = smtplib.SMTP(smtp.host, smtp.port, timeout=_SECONDS)
    with server:
        if smtp.tls == "starttls":
            server.starttls(context=context)
        if smtp.user:
            server.login(smtp.user, smtp.password)
        server.send_message(message)


def smtp_of(settings: Settings) -> Smtp:
    """The mail server of a gateway's settings. Raises ConfigError (``invalid_smtp``)."""
    if not settings.smtp_host:
        return Smtp()
    if "@" not in settings.smtp_from or not settings.smtp_from.isprintable():
        raise ConfigError(
            "a mail server needs a sender", code="invalid_smtp", hint="Set smtp_from, like apps@example.com."
        )
    password = _password(settings.smtp_password_file)
    return Smtp(
        settings.smtp_host, settings.smtp_port, settings.smtp_user, password, settings.smtp_from, settings.smtp_tls
    )


def _password(file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"smtp_password_file cannot be read: {type(error).__name__}",
            code="invalid_smtp",
            hint="It holds the password of the mail server, and only the gateway's user may read it.",
        ) from None
