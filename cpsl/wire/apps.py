"""What an app declares, and what the gateway knows of it."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from cpsl.wire.names import check_resource_name, dev_app_name

MAX_BUNDLE_BYTES = 512 * 1024 * 1024
"""Most bytes that the files of one deploy may have together."""

ACCESS = ("public", "authenticated")
"""Who may use a part of an app: everybody, or those who signed in."""


class ImageSpec(msgspec.Struct, omit_defaults=True, frozen=True):
    """The environment an app asks for: lines of a requirements file, Debian package names, shell commands, in order.

    The lines name no other file; one like ``--constraint urllib3<3`` is itself what a constraints file would say.
    """

    python_packages: list[str] = []
    apt_packages: list[str] = []
    commands: list[str] = []


class MountSpec(msgspec.Struct, frozen=True):
    """A filesystem, and where the app sees it."""

    path: str
    name: str


class ChannelSpec(msgspec.Struct, omit_defaults=True, frozen=True):
    """A channel binding. ``type``: ``resource`` (a named one), ``chat``, ``api``, or a deprecated inline type.

    ``config`` of an inline channel maps each credential to the name of the secret that holds it. ``access`` of the
    built-in chat: ``public``, or ``authenticated`` for people who signed in only.
    """

    type: str
    name: str = ""
    config: dict[str, str] = {}
    access: str = "public"


class IntegrationSpec(msgspec.Struct, omit_defaults=True, frozen=True):
    """An integration that the app may ask its user for. ``mode`` is ``oauth`` or ``form``.

    ``client_id`` and ``client_secret`` are names of secrets, never values. A provider that the gateway does not know
    comes with its endpoints; ``issuer`` is how it names itself in answers (RFC 9207).
    """

    type: str
    mode: str
    client_id: str = ""
    client_secret: str = ""
    scopes: list[str] = []
    fields: list[str] = []
    authorize_url: str = ""
    token_url: str = ""
    revoke_url: str = ""
    issuer: str = ""


class DataSpec(msgspec.Struct, omit_defaults=True, frozen=True):
    """A data handler; ``access`` is ``public`` or ``authenticated``."""

    name: str
    access: str = "public"


class CollectionSpec(msgspec.Struct, omit_defaults=True, frozen=True):
    """A collection of documents; ``scope`` is ``app``, ``user``, ``owner`` or ``session``."""

    name: str
    scope: str = "app"


class AppSpec(msgspec.Struct, omit_defaults=True, frozen=True):
    """All that an app declares at import: read from the app itself, by the runtime that imported it.

    ``references`` are the secrets that it names without having them injected. ``cpu`` is in cores, ``memory`` in MiB,
    ``price`` in cents. ``has_exit``: a hook wants to run when a session ends.
    """

    name: str
    image: ImageSpec = msgspec.field(default_factory=ImageSpec)
    channels: list[ChannelSpec] = []
    secrets: list[str] = []
    references: list[str] = []
    mounts: list[MountSpec] = []
    integrations: list[IntegrationSpec] = []
    data: list[DataSpec] = []
    collections: list[CollectionSpec] = []
    keep_warm_seconds: int = 0
    cpu: float = 0.25
    memory: int = 512
    gpu: str | None = None
    price: int = 0
    pricing_type: str = "one_time"
    description: str = ""
    has_exit: bool = False

    @property
    def chat_access(self) -> str:
        """Who may use the app's pages: ``public``, or ``authenticated`` for people who signed in only."""
        return next((channel.access for channel in self.channels if channel.type == "chat"), "public")


class Missing(msgspec.Struct, frozen=True):
    """Something an app names that the workspace has not, and the command that creates it."""

    kind: str
    name: str
    command: str


def creating(missing: list[Missing]) -> str:
    """The hint of an error about what is missing: the commands that create it."""
    return "\n".join(["Create it:", *(f"  {item.command}" for item in missing)])


class DeployCheck(msgspec.Struct, omit_defaults=True):
    """``POST /deploys/check``: what stands in the way of deploying this spec."""

    missing: list[Missing] = msgspec.field(default_factory=list)


class App(msgspec.Struct, omit_defaults=False):
    """An app of the workspace. ``live_version`` is 0 before the first deploy went live.

    ``trouble`` says why it is unhealthy; empty if it is not.
    """

    id: str
    name: str
    hostname: str
    url: str
    live_version: int
    price_in_cents: int
    pricing_type: str
    description: str
    created_at: float
    updated_at: float
    trouble: str = ""


class AppList(msgspec.Struct):
    """``GET /apps``."""

    apps: list[App]


class Version(msgspec.Struct, omit_defaults=False):
    """A version of an app that is kept. ``state``: ``live`` or ``retired``; ``deployment_id`` made it."""

    app: str
    version: int
    state: str
    entry: str
    created_at: float
    image: ImageSpec = msgspec.field(default_factory=ImageSpec)
    deployment_id: str = ""


class VersionList(msgspec.Struct):
    """``GET /apps/{app}/versions``: newest first."""

    versions: list[Version]


class Rollback(msgspec.Struct, omit_defaults=True):
    """``POST /apps/{app}/rollback``: the version to make live, or the one that was live before if null."""

    version: int | None = None


class RolledBack(msgspec.Struct):
    """The answer of ``POST /apps/{app}/rollback``: ``version`` is live now, ``previous`` was."""

    app: str
    version: int
    previous: int
    url: str


class Restarted(msgspec.Struct):
    """The answer of ``POST /apps/{app}/restart``: the version that starts anew."""

    app: str
    version: int


class Development(msgspec.Struct, frozen=True):
    """How ``capsule serve`` deploys: under the app's name for development, on the named channels and no other.

    ``take_channels``: also those that another app answers on.
    """

    channels: list[str] = []
    take_channels: bool = False

    def spec_of(self, spec: AppSpec) -> AppSpec:
        """``spec`` as it is developed. The channels that the code itself names stay with the app that people use."""
        built_in = [channel for channel in spec.channels if channel.type != "resource"]
        named = [ChannelSpec("resource", check_resource_name(name, "channel")) for name in dict.fromkeys(self.channels)]
        return msgspec.structs.replace(spec, name=dev_app_name(spec.name), channels=[*built_in, *named])


class DeployStatus(msgspec.Struct, tag="status", tag_field="type", omit_defaults=True):
    """A line about the progress of a deploy. The first has its ``deployment_id``: the gateway goes on alone then."""

    message: str
    deployment_id: str = ""


class DeployLog(msgspec.Struct, tag="log", tag_field="type"):
    """A line that the app or its build printed."""

    line: str


class DeployDone(msgspec.Struct, tag="done", tag_field="type"):
    """The version is live. ``deployment_id`` is never given to another."""

    app: str
    version: int
    url: str
    deployment_id: str = ""


class DeployError(msgspec.Struct, tag="error", tag_field="type", omit_defaults=True):
    """The version failed; what was live stays live. ``traceback`` is the app's own; ``status`` as of a response."""

    code: str
    message: str
    hint: str | None = None
    traceback: str = ""
    missing: list[Missing] = msgspec.field(default_factory=list)
    status: int = 422


DeployEvent = DeployStatus | DeployLog | DeployDone | DeployError


class LogLine(msgspec.Struct, omit_defaults=True):
    """One line of an app's log. ``stream``: ``stdout``, ``stderr`` or ``system``; ``timestamp`` in epoch seconds."""

    id: int
    timestamp: float
    level: str
    message: str
    stream: str = ""
    version: int = 0
    session_id: str = ""
    request_id: str = ""


LogLevel = Literal["debug", "info", "warning", "error", "critical"]
"""Levels of a log line, from the least to the most urgent."""
LogStream = Literal["stdout", "stderr", "system"]
"""Where a log line came from; ``system`` is the platform."""
LOG_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
LOG_STREAMS: tuple[LogStream, ...] = get_args(LogStream)


class LogFilter(msgspec.Struct, omit_defaults=True, frozen=True):
    """Which lines of an app's log are wanted: those that fit all of what is given.

    ``since`` and ``until`` in seconds since the epoch; ``level`` is the least urgent one; ``turn`` is a turn's id
    (``request_id``); ``search`` is text that the message has, in capitals or not.
    """

    since: float | None = None
    session: str | None = None
    turn: str | None = None
    version: int | None = None
    level: LogLevel | None = None
    stream: LogStream | None = None
    until: float | None = None
    search: str | None = None


EVERY_LINE = LogFilter()
"""The filter that lets all lines through."""


class BuildLog(msgspec.Struct):
    """``GET /apps/{app}/logs/build``: what building a version's image printed; empty if it needed no build."""

    app: str
    version: int
    text: str


class LogPage(msgspec.Struct):
    """``GET /apps/{app}/logs``: oldest first."""

    lines: list[LogLine]
