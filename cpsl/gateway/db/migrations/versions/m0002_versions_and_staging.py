"""Secrets that wait for a deploy, versions that know when they were replaced, apps under development."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("secrets", sa.Column("staged", sa.LargeBinary(), nullable=True))
    op.add_column("secrets", sa.Column("staged_at", sa.Float(precision=53), nullable=True))
    op.add_column("versions", sa.Column("retired_at", sa.Float(precision=53), nullable=True))
    op.add_column("apps", sa.Column("is_dev", sa.Boolean(), nullable=False, server_default=sa.false()))
