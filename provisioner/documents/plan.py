"""Plans as files: the document that ``--format json`` prints and ``--out`` writes, and back.

The document is canonical: keys sorted, sets sorted, no clock, no chance; the same plan gives the
same bytes. Its ``digest`` is over the compact form of everything else. It guards against damage
and edits by hand; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from datetime import date
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, Final

from provisioner import schemas, strict_json
from provisioner.diagnostics import Diagnostic, sort_key
from provisioner.engine.access.chains import Link
from provisioner.engine.access.effective import UserImpact
from provisioner.engine.changes import Action, AssignmentChange, Change, FieldChange, RoleChange
from provisioner.engine.planning.claims import worked_out
from provisioner.engine.planning.kept import Kept
from provisioner.engine.planning.plan import Coverage, Plan, TargetIdentity
from provisioner.engine.planning.summary import summarise
from provisioner.engine.rules.in_force import RuleChange, in_force
from provisioner.engine.rules.policies import Violation
from provisioner.engine.settings import Safety, Settings
from provisioner.errors import InvalidInput
from provisioner.model import Assignment, Base, Capabilities, DatedRole, Ending, Grant, Place, Role
from provisioner.reports.text.diagnostics import diagnostic_document
from provisioner.reports.text.style import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT: Final = "provisioner-plan"
FORMAT_VERSION: Final = 1
MOST_SHOWN: Final = 5
MOST_TEXT: Final = 120


def encode(plan: Plan) -> bytes:
    """Return the plan's document as UTF-8 JSON: a line for each change, user and setting."""
    lines = []
    for key, value in sorted(to_document(plan).items()):
        if isinstance(value, list) and value:
            items = ",\n  ".join(map(json_text, value))
            lines.append(f" {json_text(key)}: [\n  {items}\n ]")
        else:
            lines.append(f" {json_text(key)}: {json_text(value)}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def digest(document: dict[str, Any]) -> str:
    """The digest of a plan's document, over everything but the digest itself."""
    body = {key: value for key, value in document.items() if key != "digest"}
    text = json.dumps(body, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def to_document(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data that the ``plan`` schema accepts."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "target": asdict(plan.target),
        "base": asdict(plan.base),
        "desired_digest": plan.desired_digest,
        "as_of": plan.as_of.isoformat(),
        "valid_until": plan.valid_until.isoformat() if plan.valid_until else None,
        "dated": list(map(_ending, plan.dated)),
        "ending": list(map(_ending, plan.ending)),
        "settings": _settings(plan.settings),
        "manages": sorted(plan.manages),
        "default_roles": sorted(plan.default_roles),
        "declared_defaults": sorted(plan.declared_defaults),
        "admin_privileges": sorted(plan.admin_privileges),
        "rules": {kind: list(map(_rule, items)) for kind, items in plan.rules.items()},
        "changes": [_change(change) for change in plan.changes],
        "rule_changes": [_rule_change(change) for change in plan.rule_changes],
        "impact": [asdict(user) for user in plan.impact],
        "kept": [asdict(kept) for kept in plan.kept],
        "violations": [asdict(violation) for violation in plan.violations],
        "sensitive": sorted(plan.sensitive),
        "blockers": [diagnostic_document(blocker) for blocker in plan.blockers],
        "notes": [diagnostic_document(note) for note in plan.notes],
        "flattened": [
            {
                "role": role.name,
                "privileges": sorted(role.privileges),
                "includes": sorted(role.includes),
            }
            for role in plan.flattened
        ],
        "coverage": {
            "files": list(plan.coverage.files),
            "roles": plan.coverage.roles,
            "users": plan.coverage.users,
            "ignored": dict(plan.coverage.ignored),
            "ignored_users": dict(plan.coverage.ignored_users),
            "unmanaged": list(plan.coverage.unmanaged),
        },
        "summary": asdict(summarise(plan)),
        "has_changes": not plan.is_empty,
        "applyable": plan.applyable,
    }
    document = _plain(document)
    document["digest"] = digest(document)
    return document


def _ending(end: Ending) -> dict[str, str]:
    return {"user": end.user, "role": end.role, "until": end.until.isoformat()}


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule with its place; the order in which it lists things means nothing, so there is one."""
    (plain,) = in_force((rule,))
    return {**plain, "place": rule["place"]} if "place" in rule else plain


def _rule_change(change: RuleChange) -> dict[str, Any]:
    return {
        "action": change.action.value,
        "name": change.name,
        "source": _place(change.source),
        "before": change.before,
        "after": change.after,
        "fields": [asdict(item) for item in change.fields],
    }


def _plain(value: Any) -> Any:
    """The value as JSON gives it back: lists for tuples, dicts of no special kind."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _settings(settings: Settings) -> dict[str, Any]:
    document = asdict(settings)
    document["adopted"] = sorted(settings.adopted)
    document["given"] = sorted(settings.given)
    return document


def _change(change: Change) -> dict[str, Any]:
    common = {
        "action": change.action.value,
        "name": change.name,
        "effect": change.effect,
        "source": _place(change.source),
        "added": list(change.added),
        "removed": list(change.removed),
    }
    if isinstance(change, AssignmentChange):
        before, after = sorted(change.before.roles), sorted(change.after.roles)
        dated = [
            {"role": d.role, "until": d.until.isoformat() if d.until else None, "reason": d.reason}
            for d in change.dated
        ]
        return {
            "kind": "assignment",
            **common,
            "before": before,
            "after": after,
            "dated": dated,
        }
    return {
        "kind": "role",
        **common,
        "before": _role(change.before),
        "after": _role(change.after),
        "fields": [asdict(item) for item in change.fields],
        "holders": change.holders,
        "grants": [
            {
                "privilege": grant.privilege,
                "pattern": grant.pattern,
                "set": grant.set_name,
                "place": _place(grant.place),
            }
            for grant in change.grants
        ],
    }


def _role(role: Role | None) -> dict[str, Any] | None:
    if role is None:
        return None
    return {
        "id": role.id,
        "name": role.name,
        "description": role.description,
        "privileges": sorted(role.privileges),
        "includes": sorted(role.includes),
        "protected": role.protected,
    }


def _read_violation(item: dict[str, Any]) -> Violation:
    witness = tuple(
        tuple(Link(**{**link, "place": _read_place(link["place"])}) for link in chain)
        for chain in item["witness"]
    )
    places = {key: _read_place(item[key]) for key in ("place", "brought_at")}
    return Violation(**{**item, "items": tuple(item["items"]), "witness": witness, **places})


def _place(place: Place | None) -> dict[str, Any] | None:
    return asdict(place) if place else None


def decode(data: bytes, file: str) -> Plan:
    """Read a saved plan.

    Raises:
        InvalidInput: It is no plan, comes from a newer version, fails its own digest, or says
            something else than what follows from the rest of it.
    """
    document = _document(data, file)
    version = document.get("version")
    if document.get("format") != FORMAT:
        raise _refused(file, "this is not a plan of provisioner", "make one with `plan --out FILE`")
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
    if _has_fractions(document):
        raise _refused(file, "the plan holds a number with a fraction", "make the plan again")
    try:
        plan = worked_out(_plan(document))
        follows = to_document(plan)
    except ValueError as error:
        what = f"the plan holds a wrong value: {error}"
        raise _refused(file, what, "make the plan again") from error
    wrong = list(islice(differences(document, follows), MOST_SHOWN))
    if wrong:
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
        raise _refused(file, "this is not a plan of provisioner", "make one with `plan --out FILE`")
    return document


def _refused(file: str, message: str, remedy: str) -> InvalidInput:
    return InvalidInput(Diagnostic("invalid-plan", message, file, remedy))


def _plan(document: dict[str, Any]) -> Plan:
    target, settings = document["target"], document["settings"]
    coverage = document["coverage"]
    until = document["valid_until"]
    return Plan(
        target=TargetIdentity(
            **{**target, "capabilities": Capabilities(**target["capabilities"])},
        ),
        base=Base(**document["base"]),
        as_of=date.fromisoformat(document["as_of"]),
        settings=Settings(
            **{
                **settings,
                "ignore": tuple(settings["ignore"]),
                "ignore_users": tuple(settings["ignore_users"]),
                "external": tuple(settings["external"]),
                "self_users": tuple(settings["self_users"]),
                "ceilings": tuple(settings["ceilings"]),
                "safety": Safety(**settings["safety"]),
                "adopted": frozenset(settings["adopted"]),
                "given": frozenset(settings["given"]),
            }
        ),
        changes=tuple(map(_read_change, document["changes"])),
        impact=tuple(
            UserImpact(user["user"], tuple(user["gained"]), tuple(user["lost"]))
            for user in document["impact"]
        ),
        kept=tuple(
            Kept(
                item["subject_kind"],
                item["subject"],
                item["role"],
                tuple(item["privileges"]),
                tuple(item["through"]),
            )
            for item in document["kept"]
        ),
        violations=tuple(map(_read_violation, document["violations"])),
        sensitive=frozenset(document["sensitive"]),
        blockers=tuple(map(_read_diagnostic, document["blockers"])),
        notes=tuple(map(_read_diagnostic, document["notes"])),
        flattened=tuple(
            Role(
                item["role"],
                privileges=frozenset(item["privileges"]),
                includes=frozenset(item["includes"]),
            )
            for item in document["flattened"]
        ),
        coverage=Coverage(
            tuple(coverage["files"]),
            coverage["roles"],
            coverage["users"],
            coverage["ignored"],
            coverage["ignored_users"],
            tuple(coverage["unmanaged"]),
        ),
        valid_until=date.fromisoformat(until) if until else None,
        dated=tuple(
            Ending(item["user"], item["role"], date.fromisoformat(item["until"]))
            for item in document["dated"]
        ),
        desired_digest=document["desired_digest"],
        manages=frozenset(document["manages"]),
        default_roles=frozenset(document["default_roles"]),
        declared_defaults=frozenset(document["declared_defaults"]),
        admin_privileges=frozenset(document["admin_privileges"]),
        rules={kind: tuple(items) for kind, items in document["rules"].items()},
        rule_changes=tuple(
            RuleChange(item["name"], item["before"], item["after"], _read_place(item["source"]))
            for item in document["rule_changes"]
        ),
    )


def _read_change(item: dict[str, Any]) -> Change:
    source = _read_place(item["source"])
    if item["kind"] == "assignment":
        before, after = frozenset(item["before"]), frozenset(item["after"])
        name = item["name"]
        dated = tuple(
            DatedRole(
                d["role"], date.fromisoformat(d["until"]) if d["until"] else None, d["reason"]
            )
            for d in item["dated"]
        )
        held, holds = Assignment(name, before), Assignment(name, after)
        return AssignmentChange(name, held, holds, source, dated)
    fields = tuple(
        FieldChange(
            field["field"],
            field["before"],
            field["after"],
            tuple(field["added"]),
            tuple(field["removed"]),
        )
        for field in item["fields"]
    )
    before_role, after_role = _read_role(item["before"]), _read_role(item["after"])
    action = Action(item["action"])
    _require_shape(action, item["name"], before_role, after_role)
    grants = tuple(
        Grant(grant["privilege"], grant["pattern"], _read_place(grant["place"]), grant["set"])
        for grant in item["grants"]
    )
    holders = item["holders"]
    return RoleChange(
        action, item["name"], before_role, after_role, fields, source, holders, grants
    )


def _require_shape(action: Action, name: str, before: Role | None, after: Role | None) -> None:
    """Hold a change against the table in ``engine.changes``."""
    has_before, has_after = action is not Action.CREATE, action is not Action.DELETE
    shown = after if has_after else before
    if (before is not None, after is not None) != (has_before, has_after) or (
        shown is not None and shown.name != name
    ):
        raise ValueError(f"the {action.value} of role {name} does not have the roles it needs")


def _read_role(item: dict[str, Any] | None) -> Role | None:
    if item is None:
        return None
    return Role(
        item["name"],
        item["description"],
        frozenset(item["privileges"]),
        frozenset(item["includes"]),
        item["protected"],
        item["id"],
    )


def _read_place(item: dict[str, Any] | None) -> Place | None:
    return Place(item["file"], item["line"], item["column"]) if item else None


def _read_diagnostic(item: dict[str, Any]) -> Diagnostic:
    place = item["place"]
    where: Place | str | None = None
    if place is not None:
        where = _read_place(place) if "line" in place else place["file"]
    return Diagnostic(item["id"], item["message"], where, item["remedy"], item["severity"])
