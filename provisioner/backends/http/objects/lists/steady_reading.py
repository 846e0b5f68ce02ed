"""Reads what others may change meanwhile: once more when it seems to have changed, a few times.

What is the same every time is no change, and is said for what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable

_Read = TypeVar("_Read")
ATTEMPTS: Final = 3
_UNFIT: Final = (
    "if nobody changed it meanwhile, `paging` in the profile does not fit this list: see where its "
    "pages begin (0 or 1), how they are asked for, and where the total stands"
)


class Changed(Exception):
    """What is being read changed meanwhile, it seems; the message says how that shows.

    ``remedy`` is for when it shows in the same way each time.
    """

    def __init__(self, why: str, remedy: str = _UNFIT) -> None:
        super().__init__(why)
        self.remedy = remedy


def steadily(read: Callable[[], _Read], what: str) -> _Read:
    """Return what ``read`` gives; while it says that things changed, begin again, a few times.

    Raises:
        BackendError: They kept changing.
    """
    found: list[Changed] = []
    while len(found) < ATTEMPTS:
        try:
            return read()
        except Changed as changed:
            found.append(changed)
    raise _unsteady(what, found)


def _unsteady(what: str, found: list[Changed]) -> BackendError:
    """The error for a list that never was as it should be; what was the same each time stays so."""
    last = found[-1]
    if any(str(each) != str(last) for each in found):
        message = f"could not {what}: it changed while it was listed, {ATTEMPTS} times: {last}"
        remedy = "run again when nobody changes it; if it stays so, the API gives wrong lists"
        return BackendError(Diagnostic("changed-while-listed", message, None, remedy))
    message = f"could not {what}, the same in {ATTEMPTS} readings: {last}"
    return BackendError(Diagnostic("contradictory-list", message, None, last.remedy))
