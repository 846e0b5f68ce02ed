"""Who and when, as runs and locks record it."""

from __future__ import annotations

import os
from datetime import UTC, datetime


def this_host() -> str:
    """Return the name of this machine, as the machine itself knows it."""
    return os.uname().nodename


def this_user() -> str:
    """Return who runs this process, as ``user@host``."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid{os.getuid()}"
    # Bytes of the environment that are no UTF-8 are no text that a store could hold.
    return f"{user}@{this_host()}".encode("utf-8", "backslashreplace").decode()


def now() -> str:
    """Return the time in UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
