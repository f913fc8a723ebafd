"""A mail server on loopback that keeps what it is sent."""

from __future__ import annotations

import email
import email.policy
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.support.servers import free_port

_LINK = re.compile(r"https?://\S+")


class PostOffice:
    """What an SMTP server does with mail: keeps it by whom it is for. ``port`` is where it listens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.messages: list[tuple[str, EmailMessage]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep one message (the name is that of aiosmtpd's hook)."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.messages += [(address, message) for address in envelope.rcpt_tos]
        return "250 kept"

    def to(self, address: str) -> list[EmailMessage]:
        """The mail of one person, the oldest first."""
        return [message for recipient, message in self.messages if recipient == address]

    def wait_for(self, address: str, count: int = 1, seconds: float = 10) -> EmailMessage:
        """The newest mail of one person, when ``count`` have come."""
        deadline = time.monotonic() + seconds
        while len(found := self.to(address)) < count:
            assert time.monotonic() < deadline, f"no mail for {address}"
            time.sleep(0.02)
        return found[-1]


def link_in(message: EmailMessage) -> str:
    """The first link in the text of a mail."""
    body = message.get_body(("plain",))
    assert body is not None
    found = _LINK.search(body.get_content())
    assert found, body.get_content()
    return found[0]


@contextmanager
def post_office() -> Iterator[PostOffice]:
    """A mail server that runs, without TLS or a password."""
    office = PostOffice(free_port())
    controller = Controller(office, hostname="127.0.0.1", port=office.port)
    controller.start()
    try:
        yield office
    finally:
        controller.stop()
