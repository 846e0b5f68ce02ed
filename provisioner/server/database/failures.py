"""What goes wrong with a database, and what a client is told about it."""

from __future__ import annotations

from sqlalchemy import exc

from provisioner.server.http.problems import Problem, unavailable

_BUSY = "the database can't be reached, or is locked for too long; nothing was changed"
_UNKNOWN = "the database failed while committing; whether the request took effect is not known"


class Busy(Exception):
    """The database's lock was not to be had in time; nothing was changed."""


class CommitFailed(Exception):
    """A commit was sent, and its outcome is not known."""


def explained(error: Exception) -> tuple[Problem, str] | None:
    """Return what a client is told, and its cause for the log; None for a defect."""
    match error:
        case Problem():
            return error, ""
        case CommitFailed():
            return Problem("internal-error", _UNKNOWN), first_line(error)
        case Busy() | exc.TimeoutError() | exc.OperationalError() | exc.InterfaceError():
            return unavailable(_BUSY), first_line(error)
    return None


def first_line(error: Exception) -> str:
    """What the driver or the system says, without what SQLAlchemy puts around it."""
    origin = getattr(error, "orig", None) or error.__cause__ or error
    origin = getattr(origin, "orig", None) or origin
    told = getattr(origin, "strerror", None) or str(origin).strip()
    text = told or type(origin).__name__
    return text.splitlines()[0]
