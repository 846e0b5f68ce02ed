"""Writing and reading a saved plan of 10,000 changes, in CPU seconds.

Measured against ``json.dumps`` and ``json.loads`` of the same document in the same run, so that the
speed of the machine cancels out. Reading is all that ``decode`` promises: strict JSON, the digest,
the schema, and working out again what follows from the rest of the plan.

With plans told field by field in dictionaries, before there were typed documents, the ratios were
7.9 and 18.8.

Usage: python benchmarks/saved_plan.py [ROUNDS]
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import sys
import time
from datetime import date
from typing import TYPE_CHECKING

from provisioner.documents import plan as planfile
from provisioner.engine.planning.making import make_plan
from provisioner.engine.planning.plan import Plan, TargetIdentity
from provisioner.engine.settings import Safety, Settings
from provisioner.model import (
    KINDS,
    Assignment,
    Capabilities,
    Catalogue,
    DatedRole,
    DesiredRole,
    DesiredState,
    DesiredUser,
    Privilege,
    Role,
    Snapshot,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROLES, USERS, PRIVILEGES, OF = 7_500, 2_500, 12, 200
TODAY = date(2026, 3, 1)


def make() -> Plan:
    """Build the same plan on every run: roles created, changed and deleted, users reassigned."""
    chance = random.Random(1)
    names = [f"GROUP{number % 13}_PRIVILEGE_{number}" for number in range(OF)]

    def role(number: int, id: str | None = None) -> Role:
        chosen = frozenset(chance.sample(names, PRIVILEGES))
        return Role(f"Role {number:05d}", f"The role number {number}", chosen, id=id)

    third = ROLES // 3
    stored = [role(number, f"r-{number}") for number in range(2 * third)]
    wanted = [role(number) for number in range(third, 3 * third)]
    held = {f"user{number}@example.com": f"Role {third + number:05d}" for number in range(USERS)}
    state = State(
        {each.name: each for each in stored},
        {user: Assignment(user, frozenset({name})) for user, name in held.items()},
        frozenset(KINDS),
    )
    declared = {each.name: DesiredRole(each) for each in wanted}
    users = {
        user: DesiredUser(user, (DatedRole(name), DatedRole(wanted[-1 - number].name)))
        for number, (user, name) in enumerate(held.items())
    }
    settings = Settings(safety=Safety(max_change_percent=None), allow_lockout=True)
    target = TargetIdentity("sandbox", "file", "file:state.json", Capabilities(atomic=True))
    catalogue = Catalogue("benchmark", {name: Privilege(name) for name in names})
    desired = DesiredState(declared, users)
    plan = make_plan(desired, Snapshot(state), settings, TODAY, target, catalogue).plan
    assert len(plan.changes) == ROLES + USERS
    return plan


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds, without garbage collection, as the command line runs it."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    work()
    taken = time.process_time() - start
    gc.enable()
    return taken


def main() -> None:
    """Measure in turns, print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    plan = make()
    data = planfile.encode(plan)
    document = json.loads(data)
    assert planfile.decode(data, "plan.json") == plan
    kinds: dict[str, tuple[Callable[[], object], str]] = {
        "json.dumps": (lambda: json.dumps(document, sort_keys=True).encode(), "json.dumps"),
        "encode": (lambda: planfile.encode(plan), "json.dumps"),
        "json.loads": (lambda: json.loads(data), "json.loads"),
        "decode": (lambda: planfile.decode(data, "plan.json"), "json.loads"),
    }
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, (work, _against) in kinds.items():
            taken[kind].append(seconds(work))
    medians = {kind: statistics.median(times) for kind, times in taken.items()}
    print(
        f"a plan of {len(plan.changes):,} changes, {len(data):,} bytes; median of {rounds} (CPU ms)"
    )
    for kind, (_, against) in kinds.items():
        ratio = medians[kind] / medians[against]
        print(f"  {kind:<12}{medians[kind] * 1000:7.0f}   ratio to {against} {ratio:5.1f}")


if __name__ == "__main__":
    main()
