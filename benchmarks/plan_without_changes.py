"""A plan of 10,000 roles with 12 privileges each that finds no changes.

Measured against libyaml alone parsing the same file, in the same run, so that the speed of the
machine cancels out. Two ratios: the whole process as a user starts it, and the work within it
(reading the state and the sources, planning, rendering), without starting Python and importing.
At most 13, aim for 9.

Usage: python benchmarks/plan_without_changes.py [ROUNDS]
"""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from yaml._yaml import CParser

from provisioner.cli.invocation import Invocation
from provisioner.cli.opening.planning import plan_sources
from provisioner.cli.opening.session import NO_GUARDS, open_session
from provisioner.cli.options import today
from provisioner.reports.text.plan import plan_text
from provisioner.reports.text.style import Style

if TYPE_CHECKING:
    from collections.abc import Callable

ROLES, PRIVILEGES, OF = 10_000, 12, 200


def write_project(folder: Path) -> bytes:
    """Write a project with the roles into the folder; return the bytes of the roles file."""
    chance = random.Random(1)
    names = [f"GROUP{number % 13}_PRIVILEGE_{number}" for number in range(OF)]
    lines = ["version: 1", "roles:"]
    for number in range(ROLES):
        lines += [
            f"  Role {number:05d}:",
            f"    description: The role number {number}",
            "    privileges:",
            *(f"      - {name}" for name in chance.sample(names, PRIVILEGES)),
        ]
    roles = ("\n".join(lines) + "\n").encode()
    (folder / "roles.yaml").write_bytes(roles)
    catalogue = {"version": 1, "privileges": [{"name": name} for name in names]}
    (folder / "catalogue.yaml").write_text(json.dumps(catalogue))
    (folder / "provisioner.yaml").write_text(
        "version: 1\nsources: [roles.yaml]\ncatalogue: catalogue.yaml\n"
    )
    return roles


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes, without garbage collection, as the command line runs it."""
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    work()
    taken = time.perf_counter() - start
    gc.enable()
    return taken


def plan_process() -> None:
    """Run the console script as a user does."""
    script = Path(sys.executable).with_name("provisioner")
    done = subprocess.run([script, "plan"], check=True, capture_output=True, text=True)
    assert "No changes." in done.stdout, done.stdout


def plan_in_process() -> None:
    """The same work without starting Python and importing."""
    session = open_session(Invocation())
    plan = plan_sources(session, (), dict(NO_GUARDS), today())
    assert "No changes." in plan_text(plan, Style())


def main() -> None:
    """Measure in turns, print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        roles = write_project(Path(folder))
        script = Path(sys.executable).with_name("provisioner")
        subprocess.run(
            [script, "apply", "--auto-approve", "--quiet"], check=True, capture_output=True
        )
        kinds: dict[str, Callable[[], object]] = {
            "libyaml alone": lambda: CParser(roles).raw_parse(),
            "plan, the process": plan_process,
            "plan, the work in it": plan_in_process,
        }
        taken: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, work in kinds.items():
                taken[kind].append(seconds(work))
        os.chdir("/")
    base = statistics.median(taken["libyaml alone"])
    print(f"{ROLES:,} roles with {PRIVILEGES} privileges, no changes; median of {rounds} (ms)")
    for kind, times in taken.items():
        middle, least, most = (f(times) * 1000 for f in (statistics.median, min, max))
        ratio = middle / 1000 / base
        print(f"  {kind:<22}{middle:7.0f}  ({least:.0f} to {most:.0f})   ratio {ratio:5.1f}")
    print("  limit for the ratio: 13, aim: 9")


if __name__ == "__main__":
    main()
