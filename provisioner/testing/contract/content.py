"""The part of the contract that is about content: what is read is what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
    replay,
)
from provisioner.model import Role
from provisioner.testing.contract.setting import Factory, Setting, carry_out, without_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.engine.writes import Write
    from provisioner.model import Kind

AWKWARD_NAMES = (
    'Quoted "Desk"',
    "Back\\slash and 'apostrophe'",
    "Buchhaltung Süd-Ost",
    "経理担当",
    "مدير",
    "On-call 🚒👩🏽",
    "{braces}: [brackets], # signs & <tags>",
    "null",
    "010",
)


def empty_if_possible(mapping: Mapping[str, Role]) -> None:
    """Do what no caller should: change a mapping that was handed out."""
    if isinstance(mapping, dict):
        mapping.clear()


class ContentContract(Setting):
    """Reading, writing and identity."""

    def test_a_description_is_always_the_same(self, backend: Factory) -> None:
        """Identity and capabilities do not change from handle to handle."""
        first, second = backend(), backend()
        assert first.describe() == second.describe() == first.describe()
        assert first.describe().identity

    def test_a_fresh_store_reads_the_same_through_every_handle(self, backend: Factory) -> None:
        """Reading makes nothing: two handles see the same initial state and version, twice."""
        first, second = backend(), backend()
        assert first.read() == second.read() == first.read()

    def test_a_snapshot_is_a_copy(self, backend: Factory) -> None:
        """Neither a later change nor meddling with the mappings shows anywhere else."""
        store = backend()
        names = set(store.read().state.roles)
        empty_if_possible(store.read().state.roles)
        before = store.read()
        assert set(before.state.roles) == names
        carry_out(store, CreateRole(self.role("Copied")))
        assert set(before.state.roles) == names
        empty_if_possible(store.read().state.roles)
        assert set(store.read().state.roles) == names | {"Copied"}

    def test_what_is_written_is_read_back_equal(self, backend: Factory) -> None:
        """Privileges, includes, descriptions, protection and assignments come back unchanged."""
        store = backend()
        can = store.describe().capabilities
        base = self.role("Base")
        text = "Line one\nline two\t“quoted” \\ 🎉" if can.descriptions else ""
        includes = frozenset({"Base"}) if can.includes else frozenset()
        wide = self.role("Wide", *self.privileges, description=text, includes=includes)
        wide = replace(wide, protected=can.protection)
        writes: list[Write] = [CreateRole(base), CreateRole(wide)]
        if can.assignments:
            held = frozenset({"Base", "Wide"})
            writes.append(SetAssignment(self.users[0], frozenset(), held))
        expected = replay(store.read().state, writes)
        carry_out(store, *writes)
        assert without_ids(backend().read().state) == without_ids(expected)

    @pytest.mark.parametrize("name", AWKWARD_NAMES)
    def test_a_role_may_have_any_printable_name(self, backend: Factory, name: str) -> None:
        """Quotes, scripts, emoji and YAML's special words are names like others."""
        carry_out(backend(), CreateRole(self.role(name)))
        assert backend().read().state.roles[name].name == name

    def test_a_role_may_be_empty(self, backend: Factory) -> None:
        """A role without privileges is a role, not an absent one."""
        carry_out(backend(), CreateRole(Role("Empty")))
        assert backend().read().state.roles["Empty"].privileges == frozenset()

    def test_an_update_replaces_the_privileges(self, backend: Factory) -> None:
        """What is not in the new set is gone, what is new is there."""
        store = backend()
        one, two, three = self.privileges[:3]
        made = carry_out(store, CreateRole(self.role("Changing", one, two)))
        before = made.state.roles["Changing"]
        carry_out(store, UpdateRole(before, replace(before, privileges=frozenset({two, three}))))
        assert backend().read().state.roles["Changing"].privileges == {two, three}

    def test_a_deleted_role_is_gone(self, backend: Factory) -> None:
        """Afterwards the store is as if the role had never been there."""
        store = backend()
        before = without_ids(store.read().state)
        made = carry_out(store, CreateRole(self.role("Short-lived")))
        carry_out(store, DeleteRole(made.state.roles["Short-lived"]))
        assert without_ids(backend().read().state) == before

    def test_a_user_without_roles_is_no_assignment(self, backend: Factory) -> None:
        """Taking the last role away leaves no trace of the user."""
        store = backend()
        self.need(store, "assignments")
        user, held = self.users[0], frozenset({"Held"})
        carry_out(
            store,
            CreateRole(self.role("Held")),
            SetAssignment(user, frozenset(), held),
        )
        after = carry_out(store, SetAssignment(user, held, frozenset()))
        assert user.casefold() not in after.state.assignments

    def test_recorded_kinds_stay_recorded(self, backend: Factory) -> None:
        """What a run took under management is known to the next."""
        self.need(backend(), "recording")
        kinds: frozenset[Kind] = frozenset({"roles"})
        carry_out(backend(), CreateRole(self.role("Recorded")), recorded=kinds)
        assert backend().read().state.recorded == kinds

    def test_a_new_role_is_given_an_id_of_its_own(self, backend: Factory) -> None:
        """Every stored role has an id, and no two share one."""
        state = carry_out(
            backend(), CreateRole(self.role("One")), CreateRole(self.role("Two"))
        ).state
        ids = [role.id for role in state.roles.values()]
        assert all(ids)
        assert len(set(ids)) == len(ids)

    def test_a_rename_keeps_id_holders_and_includers(self, backend: Factory) -> None:
        """A rename changes a name and nothing else."""
        store = backend()
        can = self.need(store, "renames")
        writes: list[Write] = [CreateRole(self.role("Old name"))]
        if can.includes:
            writes.append(CreateRole(replace(Role("Outer"), includes=frozenset({"Old name"}))))
        if can.assignments:
            writes.append(SetAssignment(self.users[0], frozenset(), frozenset({"Old name"})))
        before = carry_out(store, *writes).state
        role = before.roles["Old name"]
        after = carry_out(store, RenameRole(role, "New name"), number=2).state
        assert after.roles["New name"] == replace(role, name="New name")
        assert after == replay(before, [RenameRole(role, "New name")])

    def test_ids_stay_when_other_roles_change(self, backend: Factory) -> None:
        """No write gives another role a new id."""
        store = backend()
        before = carry_out(store, CreateRole(self.role("Steady"))).state
        after = carry_out(store, CreateRole(self.role("Another")), number=2).state
        for name, role in before.roles.items():
            assert after.roles[name].id == role.id

    def test_the_id_of_a_deleted_role_is_not_used_again(self, backend: Factory) -> None:
        """A role made under the name of a deleted one is another role."""
        store = backend()
        first = carry_out(store, CreateRole(self.role("Phoenix"))).state.roles["Phoenix"]
        carry_out(store, DeleteRole(first), number=2)
        second = carry_out(store, CreateRole(self.role("Phoenix")), number=3)
        assert second.state.roles["Phoenix"].id != first.id
