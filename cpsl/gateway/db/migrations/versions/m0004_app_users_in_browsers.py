"""App users who sign in with a browser, and what they connect; prompts that can be answered after a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _app_users()
    _oauth()
    op.add_column("sessions", _time("pinned_at", nullable=True))
    op.add_column("prompts", sa.Column("position", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("prompts", sa.Column("result", sa.LargeBinary(), nullable=True))


def _app_users() -> None:
    with op.batch_alter_table("app_users") as batch:
        batch.alter_column("subject", type_=sa.String(400), existing_nullable=False)
        batch.add_column(sa.Column("password", sa.String(200), nullable=True))
        for name in ("verified_at", "disabled_at", "last_seen_at"):
            batch.add_column(_time(name, nullable=True))
    op.create_table(
        "browser_sessions",
        sa.Column("id", sa.String(40), primary_key=True),
        _user(),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("client_name", sa.String(200), nullable=False),
        _time("created_at"),
        _time("last_seen_at"),
        _time("expires_at"),
        sa.UniqueConstraint("hash", name="uq_browser_sessions_hash"),
    )
    op.create_index("ix_browser_sessions_app_user_id", "browser_sessions", ["app_user_id"])
    op.create_table(
        "mail_links",
        sa.Column("hash", sa.LargeBinary(32), primary_key=True),
        _user(),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        _time("expires_at"),
    )
    op.create_index("ix_mail_links_app_user_id", "mail_links", ["app_user_id"])


def _oauth() -> None:
    op.create_table(
        "oauth_states",
        sa.Column("hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("app_id", sa.String(40), sa.ForeignKey("apps.id", ondelete="CASCADE"), nullable=False),
        sa.Column("app_user_id", sa.String(40), nullable=True),
        sa.Column("browser", sa.LargeBinary(32), nullable=False),
        sa.Column("provider", sa.String(100), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("turn_id", sa.String(40), nullable=True),
        sa.Column("prompt_id", sa.String(40), nullable=True),
        sa.Column("origin", sa.String(500), nullable=False),
        sa.Column("return_to", sa.String(500), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        _time("expires_at"),
    )
    op.add_column("connections", sa.Column("account", sa.String(320), nullable=True))
    op.add_column("connections", sa.Column("scopes", sa.JSON(), nullable=True))
    op.add_column("connections", _time("created_at", nullable=True))
    op.add_column("connections", sa.Column("needs_reconnect", sa.Boolean(), nullable=False, server_default=sa.false()))


def _user() -> sa.Column[str]:
    return sa.Column("app_user_id", sa.String(40), sa.ForeignKey("app_users.id", ondelete="CASCADE"), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float(precision=53), nullable=nullable)
