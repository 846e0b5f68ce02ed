"""Doing what a finding says changes nobody's access; deleting a required privilege is found."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.engine.rules.lint import lint
from provisioner.model import Place

PRIVILEGES = ("ACCOUNTS_EDIT", "ACCOUNTS_VIEW", "DOCS_EDIT", "DOCS_VIEW", "TERMS_EDIT")
PATTERNS = (*PRIVILEGES, "DOCS_*", "*_VIEW", "*")
DATES = ("2026-06-14", "2026-06-15", "2026-12-31", "2027-12-31")
FIXED = ("equal-roles", "redundant-include", "granted-twice", "redundant-assignment", "idle-except")


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """Sources as plain data; roles include later ones only, so there are no cycles."""
    names = [f"R{i}" for i in range(draw(st.integers(2, 6)))]
    sets = {"s": [*draw(st.sets(st.sampled_from(PATTERNS), min_size=1, max_size=3))]}
    roles: dict[str, Any] = {}
    for i, name in enumerate(names):
        body: dict[str, Any] = {}
        if own := draw(st.lists(st.sampled_from(PATTERNS), max_size=3)):
            body["privileges"] = own
        if draw(st.integers(0, 3)) == 0:
            body["sets"] = ["s"]
        later = names[i + 1 :]
        if later and (chosen := draw(st.sets(st.sampled_from(later), max_size=3))):
            body["includes"] = sorted(chosen)
        elif draw(st.integers(0, 2)) == 0:
            body["except"] = [draw(st.sampled_from(PATTERNS))]
        roles[name] = body
    users = {}
    for login in ("ada", "bob"):
        held = draw(st.sets(st.sampled_from([*names, "Full Access"]), max_size=4))
        users[login] = {"roles": [draw(given_role(name)) for name in sorted(held)]}
    return {"privilege_sets": sets, "roles": roles, "users": users}


def given_role(name: str) -> st.SearchStrategy[Any]:
    dated = st.sampled_from(DATES).map(lambda day: {"role": name, "until": day})
    return st.one_of(st.just(name), dated)


def written(spec: dict[str, Any]) -> str:
    """As YAML without anchors; `until` stays a quoted text, which is fine."""
    spec = {key: value for key, value in spec.items() if key != "version"}
    return "\n" + yaml.dump(spec, sort_keys=False, Dumper=Plain)


class Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def access(spec: dict[str, Any], day: str) -> dict[str, frozenset[str]]:
    """Effective access, worked out without the code under test."""

    def expand(items: list[str]) -> set[str]:
        found: set[str] = set()
        known = (*PRIVILEGES, "HOLDS_PUT", "HOLDS_VIEW", "HOLDS_LIST", "CANCEL", "ODD")
        for item in items:
            parts = [re.escape(part) for part in item.split("*")]
            found |= {p for p in known if re.fullmatch(".*".join(parts), p)}
        return found

    def of_role(name: str) -> set[str]:
        if name == "Full Access":
            return set(PRIVILEGES)
        body = spec["roles"][name]
        own = expand(body.get("privileges", []))
        for chosen in body.get("sets", []):
            own |= expand(spec["privilege_sets"][chosen])
        own -= expand(body.get("except", []))
        return own.union(*(of_role(included) for included in body.get("includes", [])))

    found = {}
    for login, user in spec["users"].items():
        held = [item if isinstance(item, dict) else {"role": item} for item in user["roles"]]
        roles = [item["role"] for item in held if item.get("until", "9999") >= day]
        found[login] = frozenset().union(*map(of_role, roles))
    return found


def fix(spec: dict[str, Any], id: str, message: str) -> None:
    """Do what the finding's remedy says, going by the names in its message."""
    first, second, *_ = [*re.findall(r"`([^`]+)`", message), ""]
    roles = spec["roles"]
    match id:
        case "redundant-include":
            roles[first]["includes"].remove(second)
        case "granted-twice":
            roles[first]["privileges"].remove(second)
        case "idle-except":
            _, first, second, *_ = re.findall(r"`([^`]+)`", message)
            roles[first]["except"].remove(second)
        case "redundant-assignment":
            held = spec["users"][message.split(maxsplit=1)[0]]["roles"]
            held[:] = [i for i in held if first not in (i, isinstance(i, dict) and i["role"])]
        case "equal-roles":
            for body in roles.values():
                names = body.get("includes", [])
                names[:] = dict.fromkeys(second if n == first else n for n in names)
            for user in spec["users"].values():
                user["roles"] = replaced(user["roles"], first, second)
            del roles[first]


def replaced(held: list[Any], old: str, new: str) -> list[Any]:
    """Somebody who holds both keeps the one for longer."""
    until: dict[str, str] = {}
    for item in held:
        entry = item if isinstance(item, dict) else {"role": item, "until": "9999-12-31"}
        name = new if entry["role"] == old else entry["role"]
        until[name] = max(until.get(name, ""), entry["until"])
    return [{"role": name, "until": day} for name, day in until.items()]


@settings(max_examples=150, deadline=None)
@given(spec=specs())
def test_a_fix_leaves_everybodys_access_as_it_was(sources, spec) -> None:
    days = ("2026-06-15", "2026-12-31", "2027-01-01", "2028-01-01")
    before = [access(spec, day) for day in days]
    findings = [f for f in lint(sources.case(written(spec))) if f.id in FIXED]
    together = deepcopy(spec)
    for finding in findings:
        alone = deepcopy(spec)
        fix(alone, finding.id, finding.message)
        assert [access(alone, day) for day in days] == before, finding
        if finding.id != "equal-roles":
            fix(together, finding.id, finding.message)
    assert [access(together, day) for day in days] == before
    left = [f for f in lint(sources.case(written(together))) if f.id in FIXED[1:]]
    assert not [f for f in left if f.id in ("redundant-include", "redundant-assignment")]


@settings(max_examples=100, deadline=None)
@given(spec=specs())
def test_equal_and_lesser_roles_are_those_of_brute_force(sources, spec) -> None:
    spec["users"] = {name: {"roles": [name]} for name in spec["roles"]}
    carried = access(spec, "2026-06-15")
    case = sources.case(written(spec))
    named = [(f.id, re.findall(r"`([^`]+)`", f.message)) for f in lint(case)]
    found = {(id, names[0]) for id, names in named}
    parts = [(names[0], part) for id, names in named if id == "role-subset" for part in names[1:]]
    assert len(parts) == len({part for _, part in parts})
    closures = case.closures
    for name, has in carried.items():
        greater = [n for n, other in carried.items() if has < other and name not in closures[n]]
        least = min((len(carried[n]) for n in greater), default=0)
        told = [whole for whole, part in parts if part == name]
        assert bool(told) == bool(len(has) >= 3 and 0 < least <= 2 * len(has))
        assert all(whole in greater and len(carried[whole]) == least for whole in told)
        twins = {n for n, other in carried.items() if has and other == has and n != name}
        twins |= {"Full Access"} if has == frozenset(PRIVILEGES) else set()
        if ("equal-roles", name) in found:
            assert twins
        else:
            assert all(("equal-roles", twin) in found for twin in twins)


def unmet(sources, spec: dict[str, Any]) -> list[int]:
    found = lint(sources.case(written(spec)))
    assert all(isinstance(f.place, Place) for f in found)
    return [f.place.line for f in found if f.id == "requires-unmet"]  # type: ignore[union-attr]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), spec=specs())
def test_deleting_a_required_privilege_is_found_once_where_the_grant_is(
    sources, data, spec
) -> None:
    """Sound roles, of which one grants HOLDS_PUT; what it needs is in one role that it carries."""
    patterns = [p for p in PATTERNS if p not in ("*", "*_VIEW")]
    spec["privilege_sets"]["s"] = ["DOCS_*"]
    for body in spec["roles"].values():
        body["privileges"] = [p for p in body.get("privileges", ()) if p in patterns]
        body.pop("except", None)
    granting = data.draw(st.sampled_from(sorted(spec["roles"])))
    carried = sorted(sources.case(written(spec)).closures[granting])
    having = data.draw(st.sampled_from(carried))
    spec["roles"][granting]["privileges"].append("HOLDS_PUT")
    spec["roles"][having]["privileges"] += ["HOLDS_VIEW", "HOLDS_LIST"]
    assert unmet(sources, spec) == []
    deleted = data.draw(st.sampled_from(("HOLDS_VIEW", "HOLDS_LIST")))
    needing = "HOLDS_PUT" if deleted == "HOLDS_VIEW" else "HOLDS_VIEW"
    spec["roles"][having]["privileges"].remove(deleted)
    lines = ["version: 1", *written(spec).splitlines()]
    assert unmet(sources, spec) == [lines.index(f"    - {needing}") + 1]


def test_in_the_example_too(sources, tmp_path) -> None:
    """Two roles lose it, and one line is to blame: the set that both take their holds from."""
    from dataclasses import replace

    text = (Path(__file__).parents[2] / "examples" / "roles.yaml").read_text(encoding="utf-8")
    head, tail = text.split("      - ACCOUNTS_VIEW_DET\n", maxsplit=1)
    (tmp_path / "roles.yaml").write_text(head + tail)
    here = replace(sources, folder=tmp_path)
    _, document = here.json("lint", "--source", "roles.yaml")
    (found,) = [f for f in document["findings"] if f["id"] == "requires-unmet"]
    line = text.splitlines().index("    - ACCOUNTS_PUT_ON_*_HOLD") + 1
    assert found["place"] == {"file": "roles.yaml", "line": line, "column": 7}
    assert "in `Accountant` and `Credit Controller`: they require" in found["message"]


@settings(max_examples=50, deadline=None)
@given(spec=specs())
def test_the_oracle_agrees_with_the_engine(sources, spec) -> None:
    case = sources.case(written(spec))
    for login, has in access(spec, "2026-06-15").items():
        assert case.access.of_user(login) == has
