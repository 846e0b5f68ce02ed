"""What judging costs: a first plan with policies, as a ratio to the same plan without.

CPU seconds of the whole process, as a user starts it, in turns, so that the speed of the machine
cancels out. The world has 3,000 roles that include each other up to six deep, 20,000 users with one
to three roles, and 300 privileges. Limits: 21 policies that hold 1.3, 101 of them 2, 21 that many
break (some 20,000 findings, each with its chains and its place) 2.5.

``access --by role`` over 10,000 roles, which names whoever carries each, is measured against
``access --by user`` over the same sources; the limit is 2.

Usage: python benchmarks/judging_policies.py [ROUNDS]
"""

from __future__ import annotations

import random
import resource
import statistics
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Final

PROVISIONER: Final = Path(sys.executable).with_name("provisioner")
PRIVILEGES: Final = tuple(f"AREA{number % 11}_ACTION_{number}" for number in range(300))
DEEPEST: Final = 6
# Name: how many policies, whether they are broken, and the limit for the ratio.
KINDS: Final = {
    "no policies": (0, False, 1.0),
    "21 policies, kept": (21, False, 1.3),
    "21 policies, broken": (21, True, 2.5),
    "101 policies, kept": (101, False, 2.0),
}


class World:
    """Roles and users by chance, the same on every run, and what everybody carries."""

    def __init__(self, roles: int, users: int) -> None:
        self.chance = random.Random(20)
        self.own: dict[str, list[str]] = {}
        self.includes: dict[str, list[str]] = {}
        self.users: dict[str, list[str]] = {}
        self.carried: dict[str, frozenset[str]] = {}
        depth: dict[str, int] = {}
        for number in range(roles):
            name = f"Role {number:05d}"
            shallow = [n for n in self._some(list(depth), 4) if depth[n] < DEEPEST]
            self.includes[name] = shallow[: self.chance.choice((0, 0, 1, 2))]
            self.own[name] = self._some(PRIVILEGES, self.chance.randint(1, 8))
            depth[name] = 1 + max((depth[n] for n in self.includes[name]), default=0)
            inner = (self.carried[n] for n in self.includes[name])
            self.carried[name] = frozenset(self.own[name]).union(*inner)
        for number in range(users):
            held = self._some(list(self.own), self.chance.randint(1, 3))
            self.users[f"user{number}@example.com"] = held

    def _some(self, names: list[str] | tuple[str, ...], number: int) -> list[str]:
        return self.chance.sample(names, min(number, len(names)))

    def policies(self, number: int, *, broken: bool) -> list[list[str]]:
        """Privileges to keep apart: pairs that nobody holds, or sixes that many hold two of."""
        if broken:
            return [self._some(PRIVILEGES, 6) for _ in range(number)]
        together: set[tuple[str, str]] = set()
        for held in self.users.values():
            carried = frozenset().union(*(self.carried[name] for name in held))
            together.update(combinations(sorted(carried), 2))
        apart = [pair for pair in combinations(sorted(PRIVILEGES), 2) if pair not in together]
        # Where nearly all are held together by somebody, what nobody has at all keeps apart too.
        apart += [(name, "UNUSED") for name in PRIVILEGES]
        return [list(pair) for pair in self.chance.sample(apart, number)]

    def write(self, folder: Path, policies: list[list[str]]) -> None:
        """Write a project with this world and these policies."""
        lines = ["version: 1", "roles:"]
        for name, own in self.own.items():
            lines.append(f"  {name}:")
            lines.append(f"    privileges: [{', '.join(own)}]")
            if self.includes[name]:
                lines.append(f"    includes: [{', '.join(self.includes[name])}]")
        lines += ["users:", "  root@example.com: {roles: [Full Access]}"]
        lines += [f"  {user}: {{roles: [{', '.join(held)}]}}" for user, held in self.users.items()]
        lines += ["policies:"] * bool(policies)
        for number, apart in enumerate(policies):
            lines.append(f"  - name: number {number}")
            lines.append(f"    separation_of_duty: [{', '.join(apart)}]")
            lines.append("    except: [Full Access]")
        catalogue = ["version: 1", "privileges:", "  - {name: UNUSED}"]
        catalogue += [f"  - {{name: {name}}}" for name in PRIVILEGES]
        catalogue += ["default_roles:", "  - {name: Full Access, privileges: ['*']}"]
        (folder / "roles.yaml").write_text("\n".join(lines) + "\n")
        (folder / "catalogue.yaml").write_text("\n".join(catalogue) + "\n")
        (folder / "provisioner.yaml").write_text(
            "version: 1\nsources: [roles.yaml]\ncatalogue: catalogue.yaml\n"
        )


def cpu_seconds(folder: Path, *words: str) -> float:
    """The CPU time of one process, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([PROVISIONER, *words], cwd=folder, stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_turns(works: dict[str, tuple[Path, tuple[str, ...]]], rounds: int) -> dict[str, float]:
    """The median of each."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, (folder, words) in works.items():
            taken[name].append(cpu_seconds(folder, *words))
    return {name: statistics.median(times) for name, times in taken.items()}


def told(taken: dict[str, float], limits: dict[str, float]) -> None:
    """Print each, its ratio to the first, and the limit."""
    base = next(iter(taken.values()))
    for name, seconds in taken.items():
        print(f"  {name:<22}{seconds:6.2f} s   ratio {seconds / base:4.2f}, limit {limits[name]}")


def main() -> None:
    """Write the worlds, measure in turns, print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as place:
        world = World(3_000, 20_000)
        works: dict[str, tuple[Path, tuple[str, ...]]] = {}
        for name, (number, broken, _) in KINDS.items():
            folder = Path(place) / name.replace(" ", "-")
            folder.mkdir()
            world.write(folder, world.policies(number, broken=broken))
            works[name] = (folder, ("plan",))
        print(f"a first plan of 3,000 roles and 20,000 users; CPU, median of {rounds}")
        told(in_turns(works, rounds), {name: limit for name, (_, _, limit) in KINDS.items()})
        folder = Path(place) / "access"
        folder.mkdir()
        World(10_000, 10_000).write(folder, [])
        ways: dict[str, tuple[Path, tuple[str, ...]]]
        ways = {by: (folder, ("access", "--by", by, "--format", "json")) for by in ("user", "role")}
        print(f"access over 10,000 roles and 10,000 users; CPU, median of {rounds}")
        told(in_turns(ways, rounds), {"user": 1.0, "role": 2.0})


if __name__ == "__main__":
    main()
