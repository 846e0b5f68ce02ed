"""A plan that finds no changes: its time with 10,000 roles, its memory with those and 100,000.

Each role has 12 of 200 privileges. Time is CPU time, of user and system, the least of some rounds,
against libyaml alone parsing the same file in the same run, so that the speed of the machine
cancels out: the whole process as a user starts it, at most 12 times as much; and the work within it
(reading the state and the sources, planning, rendering), without starting Python and importing.
Memory is the most that the whole process had resident at any time: at most 64 MiB, and 320 MiB.

Usage: python benchmarks/plan_without_changes.py [ROUNDS]
"""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from yaml._yaml import CParser

from provisioner.cli.invocation import Invocation
from provisioner.cli.options import today
from provisioner.opening.planning import plan_sources
from provisioner.opening.session import NO_GUARDS, open_session
from provisioner.reports.text.plan import plan_text
from provisioner.reports.text.style import Style

if TYPE_CHECKING:
    from collections.abc import Callable

PRIVILEGES, OF = 12, 200
TIMED = 10_000
TIMES = 12.0
# The most MiB, by the number of roles.
MEMORY = {10_000: 64, 100_000: 320}
SCRIPT = str(Path(sys.executable).with_name("provisioner"))
# Starts a program from a process that is smaller: what a child has from its parent counts as its
# own. Prints the CPU seconds, and the KiB at most.
START = """
import os, sys
child = os.fork()
if not child:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execv(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(child, 0)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def write_project(folder: Path, roles: int) -> bytes:
    """Write a project with the roles into the folder, and apply it; the bytes of the roles file."""
    chance = random.Random(1)
    names = [f"GROUP{number % 13}_PRIVILEGE_{number}" for number in range(OF)]
    lines = ["version: 1", "roles:"]
    for number in range(roles):
        lines += [
            f"  Role {number:05d}:",
            f"    description: The role number {number}",
            "    privileges:",
            *(f"      - {name}" for name in chance.sample(names, PRIVILEGES)),
        ]
    written = ("\n".join(lines) + "\n").encode()
    (folder / "roles.yaml").write_bytes(written)
    catalogue = {"version": 1, "privileges": [{"name": name} for name in names]}
    (folder / "catalogue.yaml").write_text(json.dumps(catalogue))
    (folder / "provisioner.yaml").write_text(
        "version: 1\nsources: [roles.yaml]\ncatalogue: catalogue.yaml\n"
    )
    os.chdir(folder)
    subprocess.run([SCRIPT, "apply", "--auto-approve", "--quiet"], check=True, capture_output=True)
    done = subprocess.run([SCRIPT, "plan"], check=True, capture_output=True, text=True)
    assert "No changes." in done.stdout, done.stdout
    return written


def cpu_seconds(work: Callable[[], object]) -> float:
    """How much CPU time the work takes, without garbage collection, as the command line runs."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    work()
    taken = time.process_time() - start
    gc.enable()
    return taken


def plan_process() -> tuple[float, float]:
    """Run the console script as a user does: CPU seconds, and MiB at most."""
    command = [sys.executable, "-I", "-S", "-c", START, SCRIPT, "plan"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, kibibytes = done.stdout.split()
    return float(seconds), int(kibibytes) / 1024


def plan_in_process() -> None:
    """The same work without starting Python and importing."""
    session = open_session(Invocation())
    plan = plan_sources(session, (), dict(NO_GUARDS), today())
    assert "No changes." in plan_text(plan, Style())


def time_of(written: bytes, rounds: int) -> None:
    """Measure in turns, print the least of each and its ratio."""
    kinds: dict[str, Callable[[], float]] = {
        "libyaml alone": lambda: cpu_seconds(lambda: CParser(written).raw_parse()),
        "plan, the process": lambda: plan_process()[0],
        "plan, the work in it": lambda: cpu_seconds(plan_in_process),
    }
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, seconds in kinds.items():
            taken[kind].append(seconds())
    least = {kind: min(each) for kind, each in taken.items()}
    print(f"{TIMED:,} roles with {PRIVILEGES} privileges, no changes; least of {rounds} (CPU ms)")
    for kind, each in least.items():
        print(f"  {kind:<22}{each * 1000:7.0f}   ratio {each / least['libyaml alone']:5.1f}")
    holds = least["plan, the process"] <= least["libyaml alone"] * TIMES
    print(f"  limit for the process: {TIMES:.0f} times libyaml; {verdict(holds=holds)}")


def verdict(*, holds: bool) -> str:
    """Whether a limit holds, in words."""
    return "it holds" if holds else "it does NOT hold"


def main() -> None:
    """Measure, print, and say what holds."""
    # Users have their modules compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    for roles, most in MEMORY.items():
        with tempfile.TemporaryDirectory() as folder:
            written = write_project(Path(folder), roles)
            if roles == TIMED:
                time_of(written, rounds)
            peak = plan_process()[1]
            os.chdir("/")
        holds = verdict(holds=peak <= most)
        print(f"  {roles:,} roles: {peak:.0f} MiB resident at most, limit {most}; {holds}")


if __name__ == "__main__":
    main()
