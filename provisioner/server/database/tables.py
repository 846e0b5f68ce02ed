"""The tables, as queries name them. ``migrations`` makes them; a test holds both together.

What refers to objects of the database does so by foreign keys. Privileges are names of the
catalogue, which is not in the database: a role's are one JSON list. JSON is kept as text in ASCII:
the panel's rules are about the decoded values, never about a part of them in SQL.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

# One row. Every write locks it first. `mark` is drawn anew with each write: unlike the serial it
# never comes back, not even after an older backup was restored.
PANEL = Table(
    "panel",
    METADATA,
    Column("one", Integer, CheckConstraint("one = 1", name="one"), primary_key=True),
    Column("id", Text, nullable=False),
    Column("lineage", Text, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("mark", Text, nullable=False),
    Column("recorded", Text, nullable=False),
    Column("policies", Text, nullable=False),
)
# `name_key` is the case-folded name.
ROLES = Table(
    "roles",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("privileges", Text, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
)
INCLUDES = Table(
    "role_includes",
    METADATA,
    Column("role_id", Text, ForeignKey("roles.id"), primary_key=True),
    Column("included_id", Text, ForeignKey("roles.id"), primary_key=True, index=True),
)
# `key` is the case-folded login.
USERS = Table(
    "users",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("login", Text, nullable=False),
)
ASSIGNMENTS = Table(
    "assignments",
    METADATA,
    Column("user_key", Text, ForeignKey("users.key"), primary_key=True),
    Column("role_id", Text, ForeignKey("roles.id"), primary_key=True, index=True),
)
RUNS = Table(
    "runs",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("run", Text),
    Column("subject", Text),
    Column("serial", BigInteger, nullable=False),
)
# What is only of use with the state after a run. `until` are the end dates that the run told of, as
# JSON, packed like the state; null where it told nothing of them.
SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    Column("number", BigInteger, ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    Column("until", LargeBinary),
)
AUDIT = Table(
    "audit",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("subject", Text),
    Column("serial", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
)
# `at` is in seconds since 1970.
REPLIES = Table(
    "replies",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_replies_at", "at"),
)
