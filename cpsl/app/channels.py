"""Channels: how messages reach the app."""

from __future__ import annotations

import warnings

from cpsl.app.invalid import invalid
from cpsl.app.secret import Secret
from cpsl.wire.apps import ACCESS, ChannelSpec
from cpsl.wire.names import check_resource_name


class ChannelRef:
    """A channel of the workspace by its name. Create it with ``capsule channel create NAME --type telegram …``."""

    def __init__(self, name: str) -> None:
        self.name = check_resource_name(name, "channel")

    def spec(self) -> ChannelSpec:
        """The channel as it travels."""
        return ChannelSpec("resource", self.name)

    def __repr__(self) -> str:
        return f"Channel({self.name!r})"


Channel = ChannelRef


class Chat:
    """The built-in web chat. Every app has it; name it to say who may use it.

    ``access``: ``public`` (visitors need not sign in) or ``authenticated``. Raises InvalidRequest (a ValueError).
    """

    def __init__(self, *, access: str = "public") -> None:
        if access not in ACCESS:
            raise invalid(f"access cannot be {access!r}", 'Use "public" or "authenticated"', "invalid_channel")
        self.access = access

    def spec(self) -> ChannelSpec:
        """The channel as it travels."""
        return ChannelSpec("chat", access=self.access)

    def __repr__(self) -> str:
        return "Chat()" if self.access == "public" else f"Chat(access={self.access!r})"


class API:
    """Request and response over HTTP. Every app has it; naming it changes nothing."""

    def spec(self) -> ChannelSpec:
        """The channel as it travels."""
        return ChannelSpec("api")

    def __repr__(self) -> str:
        return "API()"


class _Inline:
    """A channel declared in the app's code, deprecated: its credentials are names of secrets."""

    kind = ""

    def __init__(self, **credentials: Secret | str) -> None:
        title = type(self).__name__
        warnings.warn(
            f"cpsl.{title} is deprecated: create the channel with `capsule channel create NAME --type {self.kind}` "
            'and use cpsl.Channel("NAME")',
            DeprecationWarning,
            stacklevel=3,
        )
        self.credentials = {name: _secret(title, name, value) for name, value in credentials.items()}

    def spec(self) -> ChannelSpec:
        """The channel as it travels."""
        return ChannelSpec(self.kind, config={name: secret.name for name, secret in self.credentials.items()})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in self.credentials.items())})"


class Telegram(_Inline):
    """Deprecated: use ``cpsl.Channel("name")``."""

    kind = "telegram"

    def __init__(self, bot_token: Secret | str) -> None:
        super().__init__(bot_token=bot_token)


class Slack(_Inline):
    """Deprecated: use ``cpsl.Channel("name")``."""

    kind = "slack"

    def __init__(self, bot_token: Secret | str, signing_secret: Secret | str) -> None:
        super().__init__(bot_token=bot_token, signing_secret=signing_secret)


class WhatsApp(_Inline):
    """Deprecated: use ``cpsl.Channel("name")``."""

    kind = "whatsapp"

    def __init__(self, access_token: Secret | str, phone_number_id: Secret | str, verify_token: Secret | str) -> None:
        super().__init__(access_token=access_token, phone_number_id=phone_number_id, verify_token=verify_token)


AnyChannel = ChannelRef | Chat | API | _Inline


def _secret(title: str, parameter: str, value: Secret | str) -> Secret:
    # A plain string would be the credential itself, in the source code; it is not even shown here.
    if isinstance(value, Secret):
        return value
    raise invalid(
        f"{title}({parameter}=…) must be a secret, not its value",
        f'Store it with `capsule secret create` and pass {parameter}=cpsl.Secret.from_name("NAME")',
        "invalid_channel",
    )
