"""Files that come with messages: which, and until when one waits for its message."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("attachments", sa.JSON(), nullable=True))
    op.add_column("files", sa.Column("sha256", sa.String(64), nullable=True))
    op.add_column("files", sa.Column("expires_at", sa.Float(precision=53), nullable=True))
