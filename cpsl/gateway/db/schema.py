"""The tables. Times are seconds since the epoch; JSON columns hold wire structs; sealed columns hold vault bytes.

A change here comes with a migration in ``migrations/versions``; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


# SQLite's integers have 64 bits anyway, and only a primary key called INTEGER counts by itself there.
_Long = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[str]:
    return Column("id", String(40), primary_key=True)


def _belongs_to(table: str, name: str | None = None, *, nullable: bool = False) -> Column[str]:
    name = name or f"{table.rstrip('s')}_id"
    return Column(name, String(40), ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, Float(53), nullable=nullable)


workspaces = Table(
    "workspaces",
    metadata,
    _id(),
    Column("name", String(100), nullable=False, unique=True),
    Column("data_key", LargeBinary, nullable=False),
    _time("created_at"),
)

accounts = Table(
    "accounts",
    metadata,
    _id(),
    _belongs_to("workspaces"),
    Column("email", String(320), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    _time("created_at"),
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _belongs_to("accounts"),
    Column("name", String(200), nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    _time("created_at"),
    _time("expires_at", nullable=True),
    _time("last_used_at", nullable=True),
)

device_codes = Table(
    "device_codes",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("user_code", String(16), nullable=False, unique=True),
    Column("client_name", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    _belongs_to("accounts", nullable=True),
    Column("interval", Integer, nullable=False),
    _time("last_poll_at", nullable=True),
    _time("expires_at"),
)

secrets = Table(
    "secrets",
    metadata,
    _id(),
    _belongs_to("workspaces"),
    Column("name", String(128), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("digest", String(16), nullable=False),
    _time("created_at"),
    _time("updated_at"),
    Column("staged", LargeBinary),
    _time("staged_at", nullable=True),
    UniqueConstraint("workspace_id", "name"),
)

filesystems = Table(
    "filesystems",
    metadata,
    _id(),
    _belongs_to("workspaces"),
    Column("name", String(100), nullable=False),
    _time("created_at"),
    UniqueConstraint("workspace_id", "name"),
)

channels = Table(
    "channels",
    metadata,
    _id(),
    _belongs_to("workspaces"),
    Column("name", String(100), nullable=False),
    Column("type", String(20), nullable=False),
    Column("webhook_id", String(40), nullable=False, unique=True),
    Column("credentials", JSON, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    _time("created_at"),
    UniqueConstraint("workspace_id", "name"),
)

apps = Table(
    "apps",
    metadata,
    _id(),
    _belongs_to("workspaces"),
    Column("name", String(63), nullable=False),
    Column("live_version", Integer, nullable=False),
    _time("created_at"),
    _time("updated_at"),
    Column("is_dev", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("workspace_id", "name"),
)

versions = Table(
    "versions",
    metadata,
    _id(),
    _belongs_to("apps"),
    Column("number", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("entry", String(500), nullable=False),
    Column("spec", JSON, nullable=False),
    _time("created_at"),
    _time("retired_at", nullable=True),
    UniqueConstraint("app_id", "number"),
)

deployments = Table(
    "deployments",
    metadata,
    _id(),
    _belongs_to("workspaces"),
    Column("account_id", String(40), nullable=False),
    Column("app", String(63), nullable=False),
    Column("entry", String(500), nullable=False),
    Column("state", String(20), nullable=False),
    Column("version", Integer),
    Column("error", JSON),
    Column("idempotency_key", String(255)),
    Column("fingerprint", LargeBinary(32), nullable=False),
    _time("created_at"),
    _time("ended_at", nullable=True),
    UniqueConstraint("account_id", "idempotency_key"),
    Index(None, "workspace_id", "app"),
)

app_users = Table(
    "app_users",
    metadata,
    _id(),
    _belongs_to("apps"),
    Column("kind", String(20), nullable=False),
    Column("subject", String(400), nullable=False),
    Column("email", String(320)),
    _time("created_at"),
    Column("password", String(200)),
    _time("verified_at", nullable=True),
    _time("disabled_at", nullable=True),
    _time("last_seen_at", nullable=True),
    UniqueConstraint("app_id", "kind", "subject"),
)

browser_sessions = Table(
    "browser_sessions",
    metadata,
    _id(),
    _belongs_to("app_users"),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("client_name", String(200), nullable=False),
    _time("created_at"),
    _time("last_seen_at"),
    _time("expires_at"),
    Index(None, "app_user_id"),
)

mail_links = Table(
    "mail_links",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    _belongs_to("app_users"),
    Column("purpose", String(20), nullable=False),
    Column("email", String(320), nullable=False),
    _time("expires_at"),
    Index(None, "app_user_id"),
)

oauth_states = Table(
    "oauth_states",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    _belongs_to("apps"),
    Column("app_user_id", String(40)),
    Column("browser", LargeBinary(32), nullable=False),
    Column("provider", String(100), nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("turn_id", String(40)),
    Column("prompt_id", String(40)),
    Column("origin", String(500), nullable=False),
    Column("return_to", String(500), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    _time("expires_at"),
)

sessions = Table(
    "sessions",
    metadata,
    _id(),
    _belongs_to("apps"),
    _belongs_to("app_users"),
    Column("channel", String(20), nullable=False),
    Column("title", String(200), nullable=False),
    Column("data", JSON, nullable=False),
    _time("created_at"),
    _time("updated_at"),
    _time("pinned_at", nullable=True),
    Index(None, "app_user_id", "id"),
)

turns = Table(
    "turns",
    metadata,
    _id(),
    _belongs_to("sessions"),
    Column("app_user_id", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("idempotency_key", String(255)),
    Column("fingerprint", LargeBinary(32), nullable=False),
    _time("created_at"),
    _time("ended_at", nullable=True),
    UniqueConstraint("app_user_id", "idempotency_key"),
    Index(None, "session_id"),
)

events = Table(
    "events",
    metadata,
    Column("turn_id", String(40), ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("id", _Long, primary_key=True, autoincrement=True),
    _belongs_to("sessions"),
    Column("turn_id", String(40), ForeignKey("turns.id", ondelete="CASCADE"), nullable=False),
    Column("sender", String(10), nullable=False),
    Column("text", Text, nullable=False),
    _time("created_at"),
    Column("attachments", JSON(none_as_null=True)),
    Index(None, "session_id", "id"),
    Index(None, "turn_id"),
)

prompts = Table(
    "prompts",
    metadata,
    _id(),
    _belongs_to("turns"),
    Column("event", JSON, nullable=False),
    Column("path", String(1000), nullable=False),
    Column("outcome", String(20)),
    _time("expires_at"),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("result", LargeBinary),
    Index(None, "turn_id"),
)

connections = Table(
    "connections",
    metadata,
    _id(),
    _belongs_to("app_users"),
    Column("integration", String(100), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    _time("updated_at"),
    Column("account", String(320)),
    Column("scopes", JSON(none_as_null=True)),
    _time("created_at", nullable=True),
    Column("needs_reconnect", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("app_user_id", "integration"),
)

files = Table(
    "files",
    metadata,
    _id(),
    _belongs_to("app_users"),
    Column("name", String(255), nullable=False),
    Column("content_type", String(200), nullable=False),
    Column("size", _Long, nullable=False),
    _time("created_at"),
    Column("sha256", String(64)),
    _time("expires_at", nullable=True),
)

documents = Table(
    "documents",
    metadata,
    Column("position", _Long, primary_key=True, autoincrement=True),
    _belongs_to("apps"),
    Column("collection", String(100), nullable=False),
    Column("scope_key", String(100), nullable=False),
    Column("id", String(200), nullable=False),
    Column("data", JSON, nullable=False),
    UniqueConstraint("app_id", "collection", "scope_key", "id"),
)

log_lines = Table(
    "log_lines",
    metadata,
    Column("id", _Long, primary_key=True, autoincrement=True),
    _belongs_to("apps"),
    Column("version", Integer, nullable=False),
    Column("level", String(10), nullable=False),
    Column("stream", String(10), nullable=False),
    Column("message", Text, nullable=False),
    Column("session_id", String(40), nullable=False),
    Column("request_id", String(40), nullable=False),
    _time("created_at"),
    Index(None, "app_id", "id"),
)
