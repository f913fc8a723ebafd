"""What the mails of an app say. The links in them are the gateway's own address, whatever host a request named."""

from __future__ import annotations

from cpsl.gateway.users.mail import Mailer

RESET_SECONDS = 3600.0
VERIFY_SECONDS = 24 * 3600.0
_IGNORE = "If that was not you, you need not do anything."


class Letters:
    """The mails to people of apps. ``url`` is where browsers reach the gateway."""

    def __init__(self, mailer: Mailer, url: str) -> None:
        self._mailer = mailer
        self._url = url

    def verify(self, app: str, to: str, token: str) -> None:
        """Somebody signed up, and shows with this link that the address is theirs."""
        text = (
            f"Please confirm that this is your address at {app}:\n\n"
            f"{self._page(app, f'verify/{token}')}\n\n"
            f"The link works once, for 24 hours. {_IGNORE}\n"
        )
        self._mailer.send(to, f"Confirm your address at {app}", text)

    def known(self, app: str, to: str) -> None:
        """Somebody wanted to sign up with an address that has an account."""
        text = (
            f"You, or somebody with your address, wanted to sign up at {app}. You have an account there already:\n\n"
            f"Sign in: {self._page(app, 'sign-in')}\n"
            f"If you do not know your password: {self._page(app, 'forgot')}\n\n{_IGNORE}\n"
        )
        self._mailer.send(to, f"Your account at {app}", text)

    def reset(self, app: str, to: str, token: str) -> None:
        """Somebody does not know their password any more."""
        text = (
            f"Choose a new password for {app}:\n\n"
            f"{self._page(app, f'reset/{token}')}\n\n"
            f"The link works once, for one hour. {_IGNORE}\n"
        )
        self._mailer.send(to, f"A new password for {app}", text)

    def changed(self, app: str, to: str) -> None:
        """The password was changed: whoever did not do that should know."""
        text = (
            f"Your password at {app} was changed, and other browsers were signed out.\n\n"
            f"If that was not you, choose a new one: {self._page(app, 'forgot')}\n"
        )
        self._mailer.send(to, f"Your password at {app} was changed", text)

    def _page(self, app: str, path: str) -> str:
        return f"{self._url}/a/{app}/{path}"
