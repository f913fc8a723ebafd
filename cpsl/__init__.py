"""Capsule: one Python file becomes a running AI product.

Inside an app: ``App``, ``Image``, ``Session``, ``Secret``, ``FileSystem`` … Outside: ``Client`` and ``AsyncClient``.
Names are loaded when first used (PEP 562), so that ``import cpsl`` costs next to nothing. A test holds the three
lists here together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsl._version import __version__

if TYPE_CHECKING:
    from cpsl.app.app import App
    from cpsl.app.channels import API, Channel, ChannelRef, Chat, Slack, Telegram, WhatsApp
    from cpsl.app.collections import CollectionRef, Column
    from cpsl.app.files import Attachment, FileUpload
    from cpsl.app.filesystem import FileSystem
    from cpsl.app.image import Image
    from cpsl.app.integrations import (
        AWS,
        GitHub,
        Gmail,
        Google,
        GoogleCalendar,
        GoogleDrive,
        Integration,
        IntegrationConfig,
        IntegrationCredentials,
        Linear,
        Outlook,
        Tailscale,
    )
    from cpsl.app.replies import ReplyStream
    from cpsl.app.secret import Secret
    from cpsl.app.session import Session, current_session
    from cpsl.app.types import Block, Message, RequestContext, SessionChannel, UserInfo
    from cpsl.client import AsyncClient, ChatResponse, Client, StreamChunk, Timeout, Upload
    from cpsl.errors import (
        AppError,
        AuthError,
        CapsuleError,
        ConfigError,
        Conflict,
        ConnectionFailed,
        DeployFailed,
        EntryPointError,
        FileUploadTimeout,
        GatewayError,
        GatewayTimeout,
        IntegrationDeclined,
        IntegrationTimeout,
        InvalidRequest,
        NotFound,
        NotLoggedIn,
        PromptRequired,
        ProviderFailed,
        RateLimited,
        StorageFull,
        StreamCut,
        TooLarge,
        TurnCancelled,
    )

_MODULES = {
    "cpsl.app.app": ("App",),
    "cpsl.app.channels": ("API", "Channel", "ChannelRef", "Chat", "Slack", "Telegram", "WhatsApp"),
    "cpsl.app.collections": ("CollectionRef", "Column"),
    "cpsl.app.files": ("Attachment", "FileUpload"),
    "cpsl.app.filesystem": ("FileSystem",),
    "cpsl.app.image": ("Image",),
    "cpsl.app.integrations": (
        "AWS",
        "GitHub",
        "Gmail",
        "Google",
        "GoogleCalendar",
        "GoogleDrive",
        "Integration",
        "IntegrationConfig",
        "IntegrationCredentials",
        "Linear",
        "Outlook",
        "Tailscale",
    ),
    "cpsl.app.replies": ("ReplyStream",),
    "cpsl.app.secret": ("Secret",),
    "cpsl.app.session": ("Session", "current_session"),
    "cpsl.app.types": ("Block", "Message", "RequestContext", "SessionChannel", "UserInfo"),
    "cpsl.client": ("AsyncClient", "ChatResponse", "Client", "StreamChunk", "Timeout", "Upload"),
    "cpsl.errors": (
        "AppError",
        "AuthError",
        "CapsuleError",
        "ConfigError",
        "Conflict",
        "ConnectionFailed",
        "DeployFailed",
        "EntryPointError",
        "FileUploadTimeout",
        "GatewayError",
        "GatewayTimeout",
        "IntegrationDeclined",
        "IntegrationTimeout",
        "InvalidRequest",
        "NotFound",
        "NotLoggedIn",
        "PromptRequired",
        "ProviderFailed",
        "RateLimited",
        "StorageFull",
        "StreamCut",
        "TooLarge",
        "TurnCancelled",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "API",
    "AWS",
    "App",
    "AppError",
    "AsyncClient",
    "Attachment",
    "AuthError",
    "Block",
    "CapsuleError",
    "Channel",
    "ChannelRef",
    "Chat",
    "ChatResponse",
    "Client",
    "CollectionRef",
    "Column",
    "ConfigError",
    "Conflict",
    "ConnectionFailed",
    "DeployFailed",
    "EntryPointError",
    "FileSystem",
    "FileUpload",
    "FileUploadTimeout",
    "GatewayError",
    "GatewayTimeout",
    "GitHub",
    "Gmail",
    "Google",
    "GoogleCalendar",
    "GoogleDrive",
    "Image",
    "Integration",
    "IntegrationConfig",
    "IntegrationCredentials",
    "IntegrationDeclined",
    "IntegrationTimeout",
    "InvalidRequest",
    "Linear",
    "Message",
    "NotFound",
    "NotLoggedIn",
    "Outlook",
    "PromptRequired",
    "ProviderFailed",
    "RateLimited",
    "ReplyStream",
    "RequestContext",
    "Secret",
    "Session",
    "SessionChannel",
    "Slack",
    "StorageFull",
    "StreamChunk",
    "StreamCut",
    "Tailscale",
    "Telegram",
    "Timeout",
    "TooLarge",
    "TurnCancelled",
    "Upload",
    "UserInfo",
    "WhatsApp",
    "__version__",
    "current_session",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cpsl' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
