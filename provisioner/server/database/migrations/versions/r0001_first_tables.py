"""The first tables. See provisioner/server/database/tables.py for what they mean."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "panel",
        sa.Column("one", sa.Integer, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("lineage", sa.Text, nullable=False),
        sa.Column("serial", sa.BigInteger, nullable=False),
        sa.Column("mark", sa.Text, nullable=False),
        sa.Column("recorded", sa.Text, nullable=False),
        sa.Column("policies", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_panel"),
        sa.CheckConstraint("one = 1", name="ck_panel_one"),
    )
    op.create_table(
        "roles",
        sa.Column("id", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_key", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("privileges", sa.Text, nullable=False),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("name_key", name="uq_roles_name_key"),
    )
    op.create_table(
        "role_includes",
        sa.Column("role_id", sa.Text),
        sa.Column("included_id", sa.Text),
        sa.PrimaryKeyConstraint("role_id", "included_id", name="pk_role_includes"),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name="fk_role_includes_role_id"),
        sa.ForeignKeyConstraint(["included_id"], ["roles.id"], name="fk_role_includes_included_id"),
    )
    op.create_index("ix_role_includes_included_id", "role_includes", ["included_id"])
    op.create_table(
        "users",
        sa.Column("key", sa.Text),
        sa.Column("login", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_users"),
    )
    op.create_table(
        "assignments",
        sa.Column("user_key", sa.Text),
        sa.Column("role_id", sa.Text),
        sa.PrimaryKeyConstraint("user_key", "role_id", name="pk_assignments"),
        sa.ForeignKeyConstraint(["user_key"], ["users.key"], name="fk_assignments_user_key"),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name="fk_assignments_role_id"),
    )
    op.create_index("ix_assignments_role_id", "assignments", ["role_id"])
    op.create_table(
        "runs",
        sa.Column("number", sa.BigInteger, autoincrement=False),
        sa.Column("run", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("serial", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_runs"),
    )
    op.create_table(
        "snapshots",
        sa.Column("number", sa.BigInteger, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_snapshots"),
        sa.ForeignKeyConstraint(["number"], ["runs.number"], name="fk_snapshots_number"),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("serial", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_table(
        "replies",
        sa.Column("key", sa.Text),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_replies"),
    )
    op.create_index("ix_replies_at", "replies", ["at"])
