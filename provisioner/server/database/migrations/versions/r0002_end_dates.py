"""The end dates that a run tells of. See provisioner/server/database/tables.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of the runs so far nothing is known."""
    op.add_column("snapshots", sa.Column("until", sa.LargeBinary))
