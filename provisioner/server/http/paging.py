"""Pages of lists, and the cursors that lead from one to the next."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, TypeVar

from provisioner import strict_json
from provisioner.documents.codec import compact
from provisioner.server.http.answers import Answer
from provisioner.server.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.server.http.requests import Call

PARAMETERS: Final = frozenset({"limit", "cursor"})
_DEFAULT: Final = 100
_MOST: Final = 1000
_LONGEST: Final = 4096
_LARGEST: Final = 2**63 - 1
# Characters of a page, after which no further item is begun: runs may tell of many end dates.
FULL: Final = 4 * 1024 * 1024

Key = TypeVar("Key", str, int)


def limit(call: Call) -> int:
    """Return how many items the page may have.

    Raises:
        Problem: It says anything but 1 to 1000.
    """
    given = call.query.get("limit")
    if given is None:
        return _DEFAULT
    if not re.fullmatch(r"[0-9]{1,4}", given) or not 1 <= int(given) <= _MOST:
        raise Problem("malformed", f"limit is a number from 1 to {_MOST}")
    return int(given)


def start(call: Call, kind: str, first: Key) -> Key:
    """Return the key that the page comes after; ``first`` for the first page.

    Raises:
        Problem: The cursor is not one that this list gave.
    """
    given = call.query.get("cursor")
    if given is None:
        return first
    wrong = Problem("malformed", "the cursor is not one of this list")
    if len(given) > _LONGEST:
        raise wrong
    try:
        told = base64.b64decode(given + "=" * (-len(given) % 4), b"-_", validate=True)
        found = strict_json.parse(told, strict_json.NOTE)
    except ValueError as error:
        raise wrong from error
    if not (isinstance(found, list) and len(found) == 2 and found[0] == kind):
        raise wrong
    if type(found[1]) is not type(first) or not _in_range(found[1]):
        raise wrong
    key: Key = found[1]
    return key


def _in_range(key: str | int) -> bool:
    """Whether a number is one that a database can compare with."""
    return isinstance(key, str) or 0 <= key <= _LARGEST


def cursor(kind: str, key: str | int) -> str:
    """Return the cursor that leads behind a key."""
    return base64.urlsafe_b64encode(json.dumps([kind, key]).encode()).decode().rstrip("=")


def slice_after(keys: Sequence[str], call: Call, kind: str) -> tuple[Sequence[str], str | None]:
    """Return the keys of a page out of all, which are sorted, and the cursor of the next."""
    begin = bisect_right(keys, after) if (after := start(call, kind, "")) else 0
    end = begin + limit(call)
    chosen = keys[begin:end]
    return chosen, cursor(kind, chosen[-1]) if end < len(keys) else None


def page(items: Sequence[str], following: str | None, mark: str) -> Answer:
    """Return a page of items that are JSON already; ``mark`` is that of the version."""
    rest = f'"next":{compact(following)},"version":{compact(mark)}'
    return Answer(200, f'{{"items":[{",".join(items)}],{rest}}}'.encode())


def numbered_page(items: list[dict[str, Any]], call: Call, kind: str, mark: str) -> Answer:
    """Return a page out of one item more than it may have, which tells that there is a next.

    It ends earlier where its items are large.
    """
    texts = [compact(item) for item in items[: limit(call)]]
    before = accumulate(map(len, texts[:-1]), initial=0)
    chosen = [text for text, size in zip(texts, before, strict=False) if size <= FULL]
    more = len(items) > len(chosen)
    following = cursor(kind, items[len(chosen) - 1]["number"]) if more else None
    return page(chosen, following, mark)
