"""What can be wrong with a stored state, as errors that say what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.errors import StateDamaged

if TYPE_CHECKING:
    from collections.abc import Sequence

RECOVER = (
    "restore the file from a backup, or choose one of the states that "
    "`provisioner history` lists and put it in place with "
    "`provisioner rollback N --replace-broken`"
)
_LINE_ENDINGS = (
    'turn the line endings back (in git: add "*.json -text" to .gitattributes and check the '
    "file out again), or run `provisioner rollback N --replace-broken`"
)
_MERGE = (
    "take one side of the merge whole (in git: `git checkout --ours` or `--theirs`), or run "
    "`provisioner rollback N --replace-broken`"
)
_UPGRADE = (
    "upgrade provisioner; to give that state up instead, move the file and its history away, "
    "since `provisioner rollback N --replace-broken` does not replace what it can't read"
)
NEWER = "state-newer"
_SHOWN = 20


def damaged(problem: str, where: str, message: str, remedy: str = RECOVER) -> StateDamaged:
    """Return the error for a stored state that can't be trusted; the id is ``state-<problem>``."""
    return StateDamaged(Diagnostic(f"state-{problem}", f"{where} {message}", where, remedy))


def damaged_by(
    problem: str, where: str, what: str, found: Sequence[str], more: int = 0
) -> StateDamaged:
    """Return the error for several things that are wrong in one way, and a count of the rest."""
    told = [f"{where} {what}: {each}" for each in found[:_SHOWN]]
    if more := more + len(found) - len(told):
        told.append(f"{where} {what}: and {more} more of such")
    # One remedy for all, below the last that is shown.
    told.sort()
    remedies = [None] * (len(told) - 1) + [RECOVER]
    return StateDamaged(
        Diagnostic(f"state-{problem}", text, where, remedy)
        for text, remedy in zip(told, remedies, strict=True)
    )


def empty(where: str) -> StateDamaged:
    """The file is there, without a byte in it."""
    return damaged("empty", where, "is empty: whatever wrote it did not finish")


def truncated(where: str, size: int) -> StateDamaged:
    """The file begins well and ends too early."""
    return damaged("truncated", where, f"is cut off after {size} bytes")


def misencoded(where: str) -> StateDamaged:
    """The file is no UTF-8, or begins with a byte order mark."""
    return damaged("encoding", where, "is not plain UTF-8 without a byte order mark")


def foreign(where: str) -> StateDamaged:
    """The file is something else."""
    return damaged(
        "foreign",
        where,
        'is not a state file of provisioner: its second line must be "digest": "sha256:…"',
    )


def edited(where: str, data: bytes) -> StateDamaged:
    """The bytes do not have the digest that the file carries; say why, where that can be seen."""
    mismatch = "does not match its digest"
    if b"\r\n" in data:
        return damaged("edited", where, f"{mismatch}: its line endings changed", _LINE_ENDINGS)
    if b"\n<<<<<<< " in data or b"\n>>>>>>> " in data:
        return damaged("edited", where, f"{mismatch}: it holds an unfinished merge", _MERGE)
    return damaged("edited", where, f"{mismatch}: it was edited by hand, or its disk is failing")


def newer(where: str, version: int, readable: int) -> StateDamaged:
    """The file has a format that this program does not know yet."""
    message = f"was written by a newer provisioner: version {version}, this one reads up to"
    return damaged("newer", where, f"{message} {readable}", _UPGRADE)


def missing(where: str, history: str) -> StateDamaged:
    """There is no file, although its history shows that there was one."""
    remedy = f"{RECOVER}; to begin anew on purpose, move {history} away as well"
    return damaged("missing", where, f"is gone, but its history is still in {history}", remedy)
