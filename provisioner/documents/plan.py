"""Plans as files: the document that ``--format json`` prints and ``--out`` writes, and back.

The document is canonical: keys sorted, sets sorted, no clock, no chance; the same plan gives the
same bytes. Its ``digest`` is over the compact form of everything else. It guards against damage
and edits by hand; it is no signature.
"""

from __future__ import annotations

import hashlib
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from provisioner import schemas, strict_json
from provisioner.diagnostics import Diagnostic, sort_key
from provisioner.documents import codec
from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange
from provisioner.engine.planning.claims import worked_out
from provisioner.engine.planning.plan import Plan
from provisioner.engine.planning.summary import summarise
from provisioner.engine.rules.in_force import RuleChange, in_force
from provisioner.errors import InvalidInput
from provisioner.reports.text.diagnostics import diagnostic_document
from provisioner.reports.text.style import harmless_json, json_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT: Final = "provisioner-plan"
FORMAT_VERSION: Final = 1
MOST_SHOWN: Final = 5
MOST_TEXT: Final = 120
_SIDES: Final = ("before", "after")


def encode(plan: Plan) -> bytes:
    """Return the plan's document as UTF-8 JSON: a line for each change, user and setting."""
    lines = []
    for key, value in sorted(to_document(plan).items()):
        if isinstance(value, list | tuple) and value:
            items = ",\n  ".join(map(codec.sorted_line, value))
            lines.append(f' "{key}": [\n  {items}\n ]')
        else:
            lines.append(f' "{key}": {codec.sorted_line(value)}')
    return harmless_json("{\n" + ",\n".join(lines) + "\n}\n").encode()


def digest(document: dict[str, Any]) -> str:
    """The digest of a plan's document, over everything but the digest itself."""
    body = {key: value for key, value in document.items() if key != "digest"}
    return f"sha256:{hashlib.sha256(codec.canonical(body)).hexdigest()}"


def to_document(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data that is, as JSON, what the ``plan`` schema accepts.

    It is what the plan's fields say, and beside that what follows from them, for readers.
    """
    document: dict[str, Any] = codec.plain(plan)
    document |= {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "ending": codec.plain(plan.ending),
        "rules": {kind: list(map(_rule, items)) for kind, items in plan.rules.items()},
        "changes": list(map(_change, document["changes"], plan.changes)),
        "rule_changes": list(map(_rule_change, document["rule_changes"], plan.rule_changes)),
        "blockers": list(map(diagnostic_document, plan.blockers)),
        "notes": list(map(diagnostic_document, plan.notes)),
        "flattened": [
            {"role": item["name"], "privileges": item["privileges"], "includes": item["includes"]}
            for item in document["flattened"]
        ],
        "summary": codec.plain(summarise(plan)),
        "has_changes": not plan.is_empty,
        "applyable": plan.applyable,
    }
    return {**document, "digest": digest(document)}


def _change(told: dict[str, Any], change: Change) -> dict[str, Any]:
    told |= {"effect": change.effect, "added": [*change.added], "removed": [*change.removed]}
    if isinstance(change, AssignmentChange):
        told |= {side: told[side]["roles"] for side in _SIDES}
    return told


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule with its place; the order in which it lists things means nothing, so there is one."""
    (found,) = in_force((rule,))
    return {**found, "place": rule["place"]} if "place" in rule else found


def _rule_change(told: dict[str, Any], change: RuleChange) -> dict[str, Any]:
    return {**told, "action": change.action.value, "fields": codec.plain(change.fields)}


def decode(data: bytes, file: str) -> Plan:
    """Read a saved plan.

    Raises:
        InvalidInput: It is no plan, comes from a newer version, fails its own digest, or says
            something else than what follows from the rest of it.
    """
    document = _document(data, file)
    version = document.get("version")
    if document.get("format") != FORMAT:
        raise _refused(
            file, "this is not a plan of provisioner", "make one with `provisioner plan --out FILE`"
        )
    if version != FORMAT_VERSION:
        what = f"the plan has format version {version}; this provisioner reads {FORMAT_VERSION}"
        raise _refused(file, what, "make the plan again")
    if document.get("digest") != digest(document):
        what = "the plan was changed after it was made: its digest does not match"
        raise _refused(file, what, "make the plan again; plans are not edited by hand")
    _require_valid("plan", document, file)
    # Rules have the form of the sources, their globs expanded: there is one copy of it.
    for kind, found in document["rules"].items():
        if kind == "former_roles":
            continue
        rules = [{key: value for key, value in rule.items() if key != "place"} for rule in found]
        form = "tests" if kind == "tests" else "policies"
        _require_valid("roles", {"version": 1, form: rules}, file, f"rules/{kind}: ")
    # Anywhere else the schema lets through whole numbers only.
    if _has_fractions([document["rules"], document["rule_changes"]]):
        raise _refused(file, "the plan holds a number with a fraction", "make the plan again")
    try:
        plan = worked_out(_plan(document))
        follows = to_document(plan)
    except ValueError as error:
        what = f"the plan holds a wrong value: {error}"
        raise _refused(file, what, "make the plan again") from error
    if follows["digest"] != document["digest"]:
        follows = strict_json.parse(encode(plan))
        wrong = list(islice(differences(document, follows), MOST_SHOWN))
        told = [found for found in wrong if found[0] != "/digest"] or wrong
        contradictions = (_contradicted(file, *found) for found in told)
        *others, last = sorted(contradictions, key=sort_key)
        # One remedy for all, below the last.
        raise InvalidInput([*(replace(each, remedy=None) for each in others), last])
    return plan


def _has_fractions(value: Any) -> bool:
    """Whether there is such a number: 3.0 is no other value than 3, but gives another digest."""
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(_has_fractions, value)) if isinstance(value, list) else isinstance(value, float)


def _require_valid(schema: str, document: dict[str, Any], file: str, within: str = "") -> None:
    invalid = not schemas.valid(schema, document)
    for violation in schemas.violations(schema, document) if invalid else ():
        where = within + "/".join(map(str, violation.absolute_path)) or "the plan"
        raise _refused(file, f"{where}: {violation.message[:200]}", "make the plan again")


def differences(said: Any, follows: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where two documents differ: the place as a JSON pointer (RFC 6901), and both values.

    A key or an item that only one of them has is there as ``None`` in the other.
    """
    match said, follows:
        case _ if said == follows:
            return
        case dict(), dict():
            for key in sorted(said.keys() | follows.keys()):
                step = key.replace("~", "~0").replace("/", "~1")
                yield from differences(said.get(key), follows.get(key), f"{at}/{step}")
        case list(), list():
            for index, (one, other) in enumerate(zip_longest(said, follows)):
                yield from differences(one, other, f"{at}/{index}")
        case _:
            yield at, said, follows


def _contradicted(file: str, at: str, said: Any, follows: Any) -> Diagnostic:
    told, right = (_cut(json_text(value)) for value in (said, follows))
    what = f"the plan contradicts itself: {at} says {told}; from the rest of it follows {right}"
    return Diagnostic("invalid-plan", what, file, "make the plan again")


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"


def _document(data: bytes, file: str) -> dict[str, Any]:
    try:
        document = strict_json.parse(data)
    except strict_json.Unsound as error:
        saying, remedy = (
            "the plan is not readable as JSON",
            "make the plan again; it may have been cut off",
        )
        raise InvalidInput(error.diagnostics("invalid-plan", file, saying, remedy)) from error
    if not isinstance(document, dict):
        raise _refused(
            file, "this is not a plan of provisioner", "make one with `provisioner plan --out FILE`"
        )
    return document


def _refused(file: str, message: str, remedy: str) -> InvalidInput:
    return InvalidInput(Diagnostic("invalid-plan", message, file, remedy))


def _plan(document: dict[str, Any]) -> Plan:
    """What a document's fields say; what follows from them is left to be worked out again."""
    found = {
        **document,
        "changes": list(map(_read_change, document["changes"])),
        "blockers": list(map(_read_diagnostic, document["blockers"])),
        "notes": list(map(_read_diagnostic, document["notes"])),
        "flattened": [{**item, "name": item["role"]} for item in document["flattened"]],
    }
    plan = codec.typed(found, Plan)
    for change in plan.changes:
        if isinstance(change, RoleChange):
            _require_shape(change)
    return plan


def _read_change(item: dict[str, Any]) -> dict[str, Any]:
    if item["kind"] == "role":
        return item
    return item | {side: {"user": item["name"], "roles": item[side]} for side in _SIDES}


def _read_diagnostic(item: dict[str, Any]) -> dict[str, Any]:
    place = item["place"]
    return item if not place or "line" in place else {**item, "place": place["file"]}


def _require_shape(change: RoleChange) -> None:
    """Hold a change against the table in ``engine.changes``."""
    action, before, after = change.action, change.before, change.after
    has_before, has_after = action is not Action.CREATE, action is not Action.DELETE
    shown = after if has_after else before
    if (before is not None, after is not None) != (has_before, has_after) or (
        shown is not None and shown.name != change.name
    ):
        what = f"the {action.value} of role {change.name} does not have the roles it needs"
        raise ValueError(what)
