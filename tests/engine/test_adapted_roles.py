"""What a plan does about a store that lacks something, and how it says so: one example each.

Here: what roles consist of, and their names. Users and runs: ``test_adapted_runs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from provisioner.engine.changes import RoleChange
from provisioner.engine.writes import UpdateRole
from provisioner.errors import StalePlan
from provisioner.model import State
from provisioner.testing import MemoryBackend
from tests.engine.build import (
    FULL,
    RUN,
    actions,
    at,
    blockers,
    carry_out,
    desired,
    lacking,
    notes,
    objections,
    plan_against,
    renamed,
    role,
    stored,
)

if TYPE_CHECKING:
    from provisioner.engine.planning.plan import Plan
    from provisioner.model import Role
    from tests.engine.conftest import Sources

# Includes


def after(plan: Plan, name: str) -> Role | None:
    """What the plan makes of a role."""
    changes = (change for change in plan.changes if isinstance(change, RoleChange))
    return next(change.after for change in changes if change.name == name)


def test_without_includes_a_role_carries_what_it_would_include(sources: Sources) -> None:
    """At any depth, over declared roles, default roles and roles that only the store has."""
    wanted = sources("""
        roles:
          Viewer: {privileges: [A], includes: [Regional]}
          Clerk: {includes: [Viewer]}
    """)
    regional = role("Regional", "B")
    plan = at(stored(FULL, regional), wanted, lacking("includes"), external=("Regional",)).plan()
    assert blockers(plan) == []
    assert actions(plan) == [("create", "Clerk"), ("create", "Viewer")]
    assert after(plan, "Viewer") == role("Viewer", "A B")
    assert after(plan, "Clerk") == role("Clerk", "A B")
    assert notes(plan) == {
        "includes-flattened": (
            "roles can't include others here: what `Clerk` and `Viewer` would include becomes "
            "their own"
        )
    }


def test_every_flattened_privilege_tells_its_line(sources: Sources) -> None:
    """Also one that another role declares."""
    wanted = sources("""
        roles:
          Viewer: {privileges: [A]}
          Clerk: {includes: [Viewer], privileges: [B]}
    """)
    plan = at(stored(FULL), wanted, lacking("includes")).plan()
    grants = {c.name: c.grants for c in plan.changes if isinstance(c, RoleChange)}
    assert [(g.privilege, str(g.place)) for g in grants["Clerk"]] == [
        ("A", "roles.yaml:3:25"),
        ("B", "roles.yaml:4:44"),
    ]


def test_what_is_flat_already_is_no_change() -> None:
    """The second plan compares what the store holds with what it would hold."""
    wanted = desired(role("Viewer", "A"), role("Clerk", "B", includes=("Viewer",)))
    flat = stored(role("Viewer", "A"), role("Clerk", "A B"))
    plan = at(flat, wanted, lacking("includes")).plan()
    assert plan.is_empty
    assert list(notes(plan)) == ["includes-flattened"]


def test_a_circle_through_stored_roles_is_followed_once_round() -> None:
    """A store that says it has no includes, and shows some all the same, does no harm."""
    current = stored(role("Regional", "B", includes=("Clerk",)), role("Clerk"))
    wanted = desired(role("Clerk", "A", includes=("Regional",)))
    plan = at(current, wanted, lacking("includes"), external=("Regional",)).plan()
    assert blockers(plan) == []
    assert after(plan, "Clerk") == role("Clerk", "A B", id="id of Clerk")


def test_an_included_role_that_is_not_there_has_nothing_to_give(sources: Sources) -> None:
    """Its privileges would be missing without a word, so the plan is blocked."""
    wanted = sources("roles: {Clerk: {includes: [Service Desk Only]}}")
    plan = at(stored(FULL), wanted, lacking("includes")).plan()
    assert objections(plan) == [
        (
            "role-missing",
            "roles.yaml:2:28",
            "`Clerk` refers to the role `Service Desk Only`, which this target does not have",
            "create `Service Desk Only` first",
        )
    ]


EXEMPT = """
    roles:
      Viewer: {privileges: [A, B]}
      Clerk: {includes: [Viewer]}
    policies:
      - {name: never both, separation_of_duty: [A, B], except: [Viewer]}
      - {name: few viewers, restrict: {roles: [Viewer], max_users: 1}}
"""


def test_policies_see_the_includes_that_the_sources_ask_for(sources: Sources) -> None:
    """What comes through an exempted role stays exempted, although it is the role's own now."""
    it = at(stored(FULL), sources(EXEMPT), lacking("includes"))
    backend = MemoryBackend(it.current, capabilities=lacking("includes"))
    plan = plan_against(backend, it)
    assert (blockers(plan), plan.violations) == ([], ())
    assert carry_out(plan, backend).is_complete
    assert plan_against(backend, it).violations == ()


def test_who_holds_a_flattened_role_holds_what_it_would_include(sources: Sources) -> None:
    """A limit on the holders of a role is not got round by including it."""
    users = "    users: {ada: {roles: [Clerk]}, bob: {roles: [Viewer]}}\n"
    plan = at(stored(FULL), sources(EXEMPT + users), lacking("includes")).plan()
    assert blockers(plan) == ["policy-violation"]
    assert "few viewers" in plan.blockers[0].message


def test_a_flattened_plan_is_stale_when_the_included_role_changes() -> None:
    """It would write what that role carried when the plan was made."""
    wanted = desired(role("Clerk", "A", includes=("Regional",)))
    it = at(stored(role("Regional", "B")), wanted, lacking("includes"), external=("Regional",))
    backend = MemoryBackend(it.current, capabilities=lacking("includes"))
    plan = plan_against(backend, it)
    backend.handle().commit(
        backend.read().base,
        (UpdateRole(it.current.roles["Regional"], role("Regional", "C")),),
        State({"Regional": role("Regional", "C")}, recorded=it.current.recorded),
        RUN,
    )
    with pytest.raises(StalePlan, match="what role Clerk would include carries something else"):
        carry_out(plan, backend)


# Descriptions and protection


def test_without_descriptions_none_is_compared(sources: Sources) -> None:
    """What the sources say stays in the sources; the note names who has one."""
    wanted = sources("""
        roles:
          Clerk: {description: Writes}
          Auditor: {description: Reads}
          Desk: {}
    """)
    roles = [role(name) for name in ("Clerk", "Auditor", "Desk")]
    plan = at(stored(FULL, *roles), wanted, lacking("descriptions")).plan()
    assert plan.is_empty
    assert notes(plan) == {
        "description-not-stored": (
            "descriptions are not stored: `Auditor` and `Clerk` have one in the sources only"
        )
    }


def test_long_lists_in_notes_end_in_a_number() -> None:
    """One note for each kind, never one for each object."""
    many = [replace(role(f"Role {n}"), description="Text") for n in range(9)]
    plan = at(stored(), desired(*many), lacking("descriptions")).plan()
    assert notes(plan)["description-not-stored"] == (
        "descriptions are not stored: `Role 0`, `Role 1`, `Role 2`, `Role 3`, `Role 4` and 4 more "
        "have one in the sources only"
    )
    assert len(plan.notes) == 1


def test_sources_that_ask_for_nothing_missing_get_no_note() -> None:
    """A note is about this plan, not about the store."""
    poor = lacking("descriptions", "protection", "includes", "renames", "assignments", "recording")
    plan = at(stored(), desired(role("Clerk", "A"), users={}), poor, adopt=False).plan()
    assert actions(plan) == [("create", "Clerk")]
    assert plan.notes == ()


def test_without_protection_nothing_is_kept_from_deletion(sources: Sources) -> None:
    """The note says so for custom roles; default roles are kept by their names."""
    wanted = sources("""
        roles:
          Clerk: {protected: true}
          Full Access: {privileges: [A, B, C, CONFIG_SECURITY]}
    """)
    unprotected = replace(FULL, protected=False)
    plan = at(stored(unprotected, role("Clerk")), wanted, lacking("protection")).plan()
    assert plan.is_empty
    assert notes(plan) == {
        "protection-not-stored": (
            "protection is not stored: nothing keeps `Clerk` from being deleted"
        )
    }


# Renames


def test_without_renames_a_role_that_nobody_has_is_replaced() -> None:
    """Deleted and created, and shown as that."""
    it = at(
        stored(role("Helpdesk", "A")),
        desired(renamed("Helpdesk", role("Support", "B"))),
        lacking("renames"),
    )
    plan = it.plan()
    assert actions(plan) == [("delete", "Helpdesk"), ("create", "Support")]
    assert notes(plan) == {
        "rename-replaced": (
            "roles can't be renamed here, so one is deleted and one created: `Helpdesk` → `Support`"
        )
    }


def test_it_is_deleted_also_where_only_declared_roles_are_managed() -> None:
    """`renamed_from` says that the old name goes."""
    wanted = desired(renamed("Helpdesk", role("Support", "A")))
    it = at(stored(role("Helpdesk", "A")), wanted, lacking("renames"), manage="declared")
    assert actions(it.plan()) == [("delete", "Helpdesk"), ("create", "Support")]


RENAMED = """
    roles:
      Support: {renamed_from: Helpdesk, privileges: [A]}
"""
CAN_NOT = "role `Helpdesk` can't be renamed to `Support`: this target can't rename roles, and"
BESIDE = "create `Support` beside it, move people over, and delete `Helpdesk` in a later apply"


@pytest.mark.parametrize(
    ("more", "users", "given", "why"),
    [
        ((), {"ada": "Helpdesk"}, "", "ada holds it"),
        ((), {"ada": "Helpdesk", "bob": "Helpdesk"}, "", "ada and 1 more hold it"),
        (("Helpdesk",), {"ada": "Lead"}, "", "ada holds it"),
        (("Helpdesk",), {}, "", "`Lead` includes it"),
        ((), {}, "ada: {roles: [Support]}", "ada would hold it"),
        ((), {"ada": "Helpdesk"}, "bob: {roles: [Support]}", "ada holds it"),
    ],
    ids=["held", "held by two", "over an include", "included", "to be held", "both"],
)
def test_without_renames_a_role_that_somebody_has_is_not_renamed(
    sources: Sources, more: tuple[str, ...], users: dict[str, str], given: str, why: str
) -> None:
    """Whoever holds it would lose it; the plan says whom to move over first."""
    wanted = sources(RENAMED + (f"    users: {{{given}}}\n" if given else ""))
    lead = role("Lead", includes=more)
    it = at(
        stored(FULL, role("Helpdesk", "A"), lead, users=users),
        wanted,
        lacking("renames"),
        manage="declared",
    )
    plan = it.plan()
    assert objections(plan) == [
        ("rename-unsupported", "roles.yaml:3:3", f"{CAN_NOT} {why}", BESIDE)
    ]
    assert ("rename", "Support") in actions(plan)


def test_an_include_that_is_not_stored_does_not_keep_a_role_from_being_replaced() -> None:
    """Nobody will hold the new role itself: what it carries becomes the other role's own."""
    wanted = desired(
        renamed("Helpdesk", role("Support", "A")),
        role("Lead", includes=("Support",)),
        users={"ada": "Lead"},
    )
    plan = at(stored(role("Helpdesk", "A")), wanted, lacking("renames", "includes")).plan()
    assert blockers(plan) == []
    assert actions(plan)[:2] == [("delete", "Helpdesk"), ("create", "Lead")]
    assert after(plan, "Lead") == role("Lead", "A")


def test_case_only_renames_are_renames_too(sources: Sources) -> None:
    """Replaced where nobody has the role; else the stored spelling is the way out."""
    wanted = sources("roles: {Helpdesk: {privileges: [A]}}")
    can = lacking("renames", atomic=False)
    it = at(stored(FULL, role("helpdesk", "A")), wanted, can)
    backend = MemoryBackend(it.current, atomic=False, capabilities=can)
    plan = plan_against(backend, it)
    assert actions(plan) == [("create", "Helpdesk"), ("delete", "helpdesk")]
    assert carry_out(plan, backend).is_complete
    held = at(stored(FULL, role("helpdesk", "A"), ada="helpdesk"), wanted, can).plan()
    assert objections(held) == [
        (
            "rename-unsupported",
            "roles.yaml:2:9",
            CAN_NOT.replace("Helpdesk", "helpdesk").replace("Support", "Helpdesk")
            + " ada holds it",
            "write it as `helpdesk`, as it is stored",
        )
    ]


def test_a_chain_of_renames_is_replaced_whole_or_not_at_all() -> None:
    """One link that somebody holds keeps all of them as they were asked for."""
    chain = desired(renamed("One", role("Two", "A")), renamed("Two", role("Three", "B")))
    roles = (role("One", "A"), role("Two", "B"))
    free = at(stored(*roles), chain, lacking("renames")).plan()
    assert actions(free) == [("delete", "One"), ("create", "Three"), ("update", "Two")]
    held = at(stored(*roles, ada="One"), chain, lacking("renames")).plan()
    assert actions(held) == [("rename", "Three"), ("rename", "Two")]
    assert blockers(held) == ["rename-unsupported"]


def test_a_way_back_goes_by_ids_and_is_refused_as_well() -> None:
    """A rollback knows the roles by their ids; there is no line to point at."""
    former = desired(role("Helpdesk", "A", id="7"))
    held = stored(role("Support", "A", id="7"), ada="Support")
    plan = at(held, former, lacking("renames")).plan()
    assert [(id, place) for id, place, *_ in objections(plan)] == [("rename-unsupported", "")]
    free = at(stored(role("Support", "A", id="7")), former, lacking("renames")).plan()
    assert actions(free) == [("create", "Helpdesk"), ("delete", "Support")]
    assert after(free, "Helpdesk") == role("Helpdesk", "A")


def test_a_role_that_stands_in_the_way_of_a_way_back_is_not_taken_from_its_holders() -> None:
    """The name belongs to another role, and somebody holds the one that has it now."""
    former = desired(role("Clerk", "A", id="1"))
    now = stored(role("Auditor", "A", id="1"), role("Clerk", "B", id="2"), ada="Clerk")
    plan = at(now, former, lacking("renames")).plan()
    message = (
        "role `Clerk` can't make way for another role of that name: this target can't rename "
        "roles, and ada holds it"
    )
    remedy = "take it from whoever has it, and delete it, in an earlier apply"
    assert ("rename-unsupported", "", message, remedy) in objections(plan)


def test_a_protected_role_is_not_replaced() -> None:
    """Replacing deletes, and protection forbids that."""
    wanted = desired(renamed("Helpdesk", role("Support", protected=True)))
    it = at(stored(role("Helpdesk", protected=True)), wanted, lacking("renames"))
    assert blockers(it.plan()) == ["protected"]
