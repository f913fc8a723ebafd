"""Capsule: one Python file becomes a running AI product.

Inside an app: ``App``, ``Image``, ``Session``, ``Secret``, ``FileSystem`` … Outside: ``Client`` and ``AsyncClient``.
Names are loaded when first used (PEP 562), so that ``import cpsl`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsl._version import __version__

_HOME = {
    "API": "cpsl.app.channels",
    "AWS": "cpsl.app.integrations",
    "App": "cpsl.app.app",
    "AppError": "cpsl.errors",
    "AsyncClient": "cpsl.client",
    "AuthError": "cpsl.errors",
    "Block": "cpsl.app.types",
    "CapsuleError": "cpsl.errors",
    "Channel": "cpsl.app.channels",
    "ChannelRef": "cpsl.app.channels",
    "Chat": "cpsl.app.channels",
    "ChatResponse": "cpsl.client",
    "Client": "cpsl.client",
    "CollectionRef": "cpsl.app.collections",
    "Column": "cpsl.app.collections",
    "ConfigError": "cpsl.errors",
    "Conflict": "cpsl.errors",
    "ConnectionFailed": "cpsl.errors",
    "DeployFailed": "cpsl.errors",
    "EntryPointError": "cpsl.errors",
    "FileSystem": "cpsl.app.filesystem",
    "FileUpload": "cpsl.app.files",
    "FileUploadTimeout": "cpsl.errors",
    "GatewayError": "cpsl.errors",
    "GatewayTimeout": "cpsl.errors",
    "GitHub": "cpsl.app.integrations",
    "Gmail": "cpsl.app.integrations",
    "Google": "cpsl.app.integrations",
    "GoogleCalendar": "cpsl.app.integrations",
    "GoogleDrive": "cpsl.app.integrations",
    "Image": "cpsl.app.image",
    "Integration": "cpsl.app.integrations",
    "IntegrationConfig": "cpsl.app.integrations",
    "IntegrationCredentials": "cpsl.app.integrations",
    "IntegrationDeclined": "cpsl.errors",
    "IntegrationTimeout": "cpsl.errors",
    "InvalidRequest": "cpsl.errors",
    "Linear": "cpsl.app.integrations",
    "Message": "cpsl.app.types",
    "NotFound": "cpsl.errors",
    "NotLoggedIn": "cpsl.errors",
    "Outlook": "cpsl.app.integrations",
    "PromptRequired": "cpsl.errors",
    "RateLimited": "cpsl.errors",
    "ReplyStream": "cpsl.app.replies",
    "RequestContext": "cpsl.app.types",
    "Secret": "cpsl.app.secret",
    "Session": "cpsl.app.session",
    "SessionChannel": "cpsl.app.types",
    "Slack": "cpsl.app.channels",
    "StorageFull": "cpsl.errors",
    "StreamChunk": "cpsl.client",
    "StreamCut": "cpsl.errors",
    "Tailscale": "cpsl.app.integrations",
    "Telegram": "cpsl.app.channels",
    "TooLarge": "cpsl.errors",
    "TurnCancelled": "cpsl.errors",
    "UserInfo": "cpsl.app.types",
    "WhatsApp": "cpsl.app.channels",
    "current_session": "cpsl.app.session",
}

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cpsl' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
