"""What no schema sees in a state as it was told: names that clash, references to nothing, circles.

For every store that tells its state as a document. Each finding begins with the field it is about.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from provisioner import schemas

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Items = Sequence[Mapping[str, Any]]

_SHOWN = 200
_EXPLAINED = 50


def same_names(kind: str, field: str, items: Items) -> Iterator[str]:
    """Yield each item whose name another one before it has as well; case does not count."""
    folded = [item[field].casefold() for item in items]
    if len(set(folded)) == len(folded):
        return
    first: dict[str, str] = {}
    for index, (key, item) in enumerate(zip(folded, items, strict=True)):
        name = item[field]
        if key not in first:
            first[key] = name
        elif first[key] == name:
            yield f"{kind}[{index}].{field}: {name} is there twice"
        else:
            yield f"{kind}[{index}].{field}: {name} is taken by {first[key]}; case does not count"


def same_ids(items: Items) -> Iterator[str]:
    """Yield each role whose id another one before it has as well; case counts."""
    if len({item["id"] for item in items}) == len(items):
        return
    first: dict[str, str] = {}
    for index, item in enumerate(items):
        other = first.get(item["id"])
        if other is not None:
            yield f"roles[{index}].id ({item['name']}): {item['id']} is the id of {other} already"
        else:
            first[item["id"]] = item["name"]


def doubles(kind: str, name: str, items: Items, lists: Iterable[str]) -> Iterator[str]:
    """Yield what stands twice in a list of an item; ``name`` is the field that names the item."""
    for field in lists:
        for index, item in enumerate(items):
            listed: list[str] = item[field]
            if len(set(listed)) < len(listed):
                twice = ", ".join(sorted(each for each, n in Counter(listed).items() if n > 1))
                yield f"{kind}[{index}].{field} ({item[name]}): {twice} is there twice"


def strangers(
    kind: str, name: str, items: Items, lists: Iterable[str], known: frozenset[str]
) -> Iterator[str]:
    """Yield references of an item to what there is not."""
    for field in lists:
        for index, item in enumerate(items):
            if item[field] and not known.issuperset(item[field]):
                gone = ", ".join(sorted(set(item[field]) - known))
                yield f"{kind}[{index}].{field} ({item[name]}): there is no role {gone}"


def circles(items: Items, key: str) -> Iterator[str]:
    """Yield a role that includes itself, directly or by way of others; ``key`` is what refers."""
    includes = {item[key]: item["includes"] for item in items if item["includes"]}
    names = {item[key]: item["name"] for item in items}
    try:
        TopologicalSorter(includes).prepare()
    except CycleError as error:
        # What depends comes last in it: here, what includes.
        circle = [names.get(each, each) for each in reversed(error.args[1])]
        yield f"roles ({circle[0]}).includes: it includes itself: {' > '.join(circle)}"


def policy_flaws(policies: Sequence[Any], at: str = "policies") -> Iterator[tuple[int, str]]:
    """Yield which policies are none, as an index and what is wrong: they are held to the sources'.

    A state is judged by the policies in it: one that says nothing, or what nobody understands,
    would forbid nothing.
    """
    explained = 0
    for index, policy in enumerate(policies):
        document = {"version": 1, "policies": [policy]}
        if not schemas.valid("roles", document):
            # To explain takes some thousand times as long as to see it.
            explained += 1
            known = explained <= _EXPLAINED
            yield index, f"{at}[{index}]: {_wrong(policy, document) if known else 'it is none'}"
        elif wrong := [e["until"] for e in policy.get("except", ()) if _is_no_date(e)]:
            yield index, f"{at}[{index}].except: there is no date {wrong[0]}"
    yield from _names_twice(policies, at)


def date_flaws(ends: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    """Yield which end dates of a run there are not, as an index and what is wrong."""
    for index, end in enumerate(ends):
        if _is_no_date(end):
            yield index, f"run.until[{index}]: there is no date {end['until']}"


def _wrong(policy: Any, document: Mapping[str, Any]) -> str:
    for found in schemas.violations("roles", document):
        where = found.json_path.removeprefix("$.policies[0]").removeprefix(".")
        if where:
            return f"{where}: {found.message[:_SHOWN]}"
    name = policy.get("name") if isinstance(policy, dict) else None
    called = f"policy `{name}`" if isinstance(name, str) else "a policy"
    return f"{called} has no rule, more than one, or one that is not known"


def _is_no_date(dated: Any) -> bool:
    if isinstance(dated, str) or "until" not in dated:
        return False
    try:
        date.fromisoformat(dated["until"])
    except ValueError:
        return True
    return False


def _names_twice(policies: Sequence[Any], at: str) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        name = policy.get("name") if isinstance(policy, dict) else None
        if isinstance(name, str):
            if name in seen:
                yield index, f"{at}[{index}].name: {name} is there twice"
            seen.add(name)
