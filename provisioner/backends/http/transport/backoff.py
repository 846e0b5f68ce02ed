"""How long to wait before a request is repeated."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FIRST: Final = 0.25
MOST: Final = 5.0


def backoff(attempt: int, chance: Callable[[], float] = random.random) -> float:
    """Seconds to wait after the given attempt (from 1): anything up to a bound that doubles.

    Full jitter spreads the clients of a server that was down (Marc Brooker, "Exponential Backoff
    And Jitter", AWS Architecture Blog, 2015).
    """
    return chance() * min(MOST, FIRST * 2.0 ** (attempt - 1))


def asked_for(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for (RFC 9110, 10.2.3); None where it says nothing usable.

    A date is measured against the reply's own ``Date``, so that no clock but the server's counts.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:9])
    until = _date(text)
    if until is None:
        return None
    now = _date(headers.get("Date", "")) or datetime.now(UTC)
    return max((until - now).total_seconds(), 0.0)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
