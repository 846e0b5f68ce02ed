"""The effective access of 10,000 roles and 100,000 users, in CPU seconds.

Measured against the naive way in the same run, so that the speed of the machine cancels out: for
each user, walk over all roles and includes and collect the privileges in a set. The limit is one
second for everything that is not told apart in names; each role has 12 of 200 privileges, every
other one includes up to three roles (ten levels deep), and each user holds three roles.

Usage: python benchmarks/effective_access.py [ROUNDS]
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
from typing import TYPE_CHECKING

from provisioner.engine.access.effective import AccessTable, access_of, impact
from provisioner.model import Assignment, Role, State

if TYPE_CHECKING:
    from collections.abc import Callable

ROLES, USERS, PRIVILEGES, OF, LEVELS = 10_000, 100_000, 12, 200, 10
LIMIT = 1.0


def make_state() -> State:
    """Build the same state on every run."""
    chance = random.Random(1)
    names = [f"GROUP{number % 13}_PRIVILEGE_{number}" for number in range(OF)]
    by_level = [[f"Role {n:05d}" for n in range(level, ROLES, LEVELS)] for level in range(LEVELS)]
    roles = {}
    for level, members in enumerate(by_level):
        for number, name in enumerate(members):
            below = by_level[level - 1] if level and number % 2 else []
            includes = frozenset(chance.sample(below, 3)) if below else frozenset()
            own = frozenset(chance.sample(names, PRIVILEGES))
            roles[name] = Role(name, privileges=own, includes=includes)
    every = list(roles)
    users = {
        f"user{n}@example.com": Assignment(
            f"user{n}@example.com", frozenset(chance.sample(every, 3))
        )
        for n in range(USERS)
    }
    return State(roles, users)


def naive(state: State) -> dict[str, set[str]]:
    """Collect, for each user, what each role gives, and each role that it includes."""
    access = {}
    for login, assignment in state.assignments.items():
        found: set[str] = set()
        seen: set[str] = set()
        waiting = list(assignment.roles)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                found |= state.roles[name].privileges
                waiting += state.roles[name].includes
        access[login] = found
    return access


def cpu_seconds(work: Callable[[], object]) -> float:
    """How much CPU time the work takes, without garbage collection, as the command line runs."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    work()
    taken = time.process_time() - start
    gc.enable()
    return taken


def main() -> None:
    """Check that both ways agree, measure in turns, print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    state = make_state()
    table, slow = AccessTable(state), naive(state)
    for login in list(slow)[:: USERS // 1000]:
        assert set(table.names(table.users[login])) == slow[login], login
    role = next(iter(state.roles.values()))
    fewer = Role(role.name, privileges=role.privileges - {min(role.privileges)})
    changed = State({**state.roles, role.name: fewer}, state.assignments)
    kinds: dict[str, Callable[[], object]] = {
        "naive loop": lambda: naive(state),
        "all roles and users": lambda: AccessTable(state),
        "impact of one change": lambda: impact(access_of(state), access_of(changed)),
    }
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, work in kinds.items():
            taken[kind].append(cpu_seconds(work))
    base = statistics.median(taken["naive loop"])
    print(f"{ROLES:,} roles, {USERS:,} users; CPU seconds, median of {rounds}")
    for kind, times in taken.items():
        middle = statistics.median(times)
        span = f"({min(times):.3f} to {max(times):.3f})"
        print(f"  {kind:<22}{middle:7.3f}  {span}   1/{base / middle:.1f} of the naive loop")
    print(f"  limit for all roles and users: {LIMIT:.0f} s")


if __name__ == "__main__":
    main()
