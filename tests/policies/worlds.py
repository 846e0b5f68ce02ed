"""Small worlds to judge policies on, and a slow, plain second opinion on who carries what."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from provisioner.model import Assignment, Role, State

PRIVILEGES = ["A", "B", "C", "D"]
ROLES = ["r0", "r1", "r2", "r3", "r4"]
USERS = ["ada", "bob", "eve"]


def state(roles: dict[str, str], users: dict[str, str], **includes: str) -> State:
    """Roles by their privileges, users by their roles, includes by the including role."""
    return State(
        {
            name: Role(
                name,
                "",
                frozenset(privileges.split()),
                frozenset(includes.get(name, "").split()),
            )
            for name, privileges in roles.items()
        },
        {user: Assignment(user, frozenset(held.split())) for user, held in users.items()},
    )


names = st.sets(st.sampled_from(PRIVILEGES), max_size=2)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Up to five roles that include later ones, three users with up to three roles."""
    roles = {}
    for index, name in enumerate(ROLES):
        later = ROLES[index + 1 :]
        includes = draw(st.sets(st.sampled_from(later), max_size=2)) if later else set()
        roles[name] = Role(name, "", frozenset(draw(names)), frozenset(includes))
    there = draw(st.sets(st.sampled_from(ROLES), min_size=3))
    roles = {
        name: Role(name, "", role.privileges, role.includes & there)
        for name, role in roles.items()
        if name in there
    }
    assignments = {}
    for user in USERS:
        held = draw(st.sets(st.sampled_from(sorted(there)), max_size=3))
        if held:
            assignments[user] = Assignment(user, frozenset(held))
    return State(roles, assignments)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """A policy of any kind but ``dated``, over privileges, roles, or classes of either."""
    of_roles = draw(st.booleans())
    pool = ROLES if of_roles else PRIVILEGES
    some = draw(st.permutations(pool))[: draw(st.integers(2, 4))]
    kind = draw(st.sampled_from(["separation_of_duty", "deny", "restrict"]))
    policy: dict[str, Any] = {"name": "p"}
    if kind == "restrict":
        limits: list[dict[str, Any]] = [{"max_users": 0}, {"max_users": 1}, {"only_users": ["ada"]}]
        limit = draw(st.sampled_from(limits))
        policy[kind] = {"roles" if of_roles else "privileges": some, **limit}
    elif kind == "separation_of_duty" and draw(st.booleans()):
        cut = draw(st.integers(1, len(some) - 1))
        classes = [some[:cut], some[cut:]]
        policy[kind] = {"roles": classes} if of_roles else classes
    else:
        policy[kind] = {"roles": some} if of_roles else some
        if kind == "separation_of_duty":
            policy["at_most"] = draw(st.integers(1, 2))
    exempt = draw(st.sets(st.sampled_from(ROLES), max_size=1))
    return {**policy, "except": sorted(exempt)} if exempt else policy


class Opinion:
    """Who breaks one policy in one state, by walking through it anew for each question."""

    def __init__(self, policy: dict[str, Any], where: State) -> None:
        (self.kind,) = policy.keys() - {"name", "at_most", "except"}
        self.policy = policy
        self.rule = policy[self.kind]
        self.at_most = policy.get("at_most", 1)
        self.exempt = set(policy.get("except", ()))
        self.where = where

    def on(self, where: State) -> Opinion:
        """The same policy on another state."""
        return Opinion(self.policy, where)

    def items_of_role(self, role: str, *, itself: bool = True) -> set[str]:
        """What of the named things a role carries."""
        carried: set[str] = set()
        of_roles = isinstance(self.rule, dict) and "roles" in self.rule
        waiting, seen = [role], set()
        while waiting:
            name = waiting.pop()
            if name in self.exempt or name not in self.where.roles or name in seen:
                continue
            seen.add(name)
            carried |= {name} if of_roles else self.where.roles[name].privileges
            waiting += self.where.roles[name].includes
        return (carried - (set() if itself else {role})) & self.named()

    def items_of_user(self, user: str) -> set[str]:
        """What of the named things a user carries."""
        held = self.where.assignments.get(user)
        return set().union(*map(self.items_of_role, held.roles)) if held else set()

    def named(self) -> set[str]:
        """All privileges or roles that the policy names."""
        return set().union(*self.classes())

    def classes(self) -> list[set[str]]:
        """The classes; what is named singly is a class of its own."""
        listed = self.rule
        if isinstance(listed, dict):
            listed = listed.get("roles", listed.get("privileges"))
        return [{item} if isinstance(item, str) else set(item) for item in listed]

    def breaks(self, carried: set[str]) -> bool:
        """Whether somebody who carries this breaks separation of duty or denial."""
        if self.kind == "separation_of_duty":
            return len([part for part in self.classes() if part & carried]) > int(self.at_most)
        return bool(carried)

    def guilty_roles(self) -> dict[str, set[str]]:
        """The roles that break it, and what they carry of it."""
        if self.kind == "restrict":
            return {}
        found = {
            role: self.items_of_role(role, itself=self.kind != "deny") for role in self.where.roles
        }
        return {role: items for role, items in found.items() if self.breaks(items)}

    def guilty_users(self) -> dict[str, set[str]]:
        """The users who break it over all their roles, and what they carry of it."""
        found = {user: self.items_of_user(user) for user in self.where.assignments}
        found = {user: items for user, items in found.items() if items}
        if self.kind == "restrict":
            if "max_users" in self.rule:
                return found if len(found) > self.rule["max_users"] else {}
            return {user: items for user, items in found.items() if user != "ada"}
        return {user: items for user, items in found.items() if self.breaks(items)}
