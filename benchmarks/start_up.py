"""How long the program takes to start, against a script that only imports what it can't do without.

CPU time, of user and system, the least of some rounds; the commands run in turns, so that noise
hits all of them. ``provisioner --version``: at most 1.5 times as long as importing click. A plan
without changes of 100 roles: at most 1.3 times as long as importing the libraries that it needs.

Usage: python benchmarks/start_up.py [ROUNDS]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROLES = 100
SCRIPT = str(Path(sys.executable).with_name("provisioner"))
# By what is compared: the least that it needs, the command, and how many times as long it may take.
COMPARED = {
    "--version": ("import click", ["--version"], 1.5),
    f"plan of {ROLES} roles": (
        "import click, yaml, jsonschema_rs, json, hashlib",
        ["plan", "roles.yaml"],
        1.3,
    ),
}


def roles() -> str:
    """A file of roles that carry some privileges of the shipped catalogue."""
    each = "  Role {n}: {{description: The role number {n}, privileges: [ARDOCS_VIEW]}}\n"
    return "version: 1\nroles:\n" + "".join(each.format(n=n) for n in range(ROLES))


def cpu_seconds(command: list[str]) -> float:
    """What a process takes from its start to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure in turns, print the least of each, the ratio, and whether the limit holds."""
    # Users have their modules compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("roles.yaml").write_text(roles())
        apply = [SCRIPT, "apply", "roles.yaml", "--auto-approve", "--quiet"]
        subprocess.run(apply, check=True, capture_output=True)
        print(f"start-up, least of {rounds} (CPU ms)")
        for name, (imports, arguments, limit) in COMPARED.items():
            commands = [[sys.executable, "-c", imports], [SCRIPT, *arguments]]
            taken = [[cpu_seconds(command) for command in commands] for _ in range(rounds + 1)]
            base, least = map(min, zip(*taken[1:], strict=True))
            holds = "it holds" if least <= limit * base else "it does NOT hold"
            print(f"  {imports:<50}{base * 1000:6.0f}")
            print(
                f"  {f'provisioner {name}':<50}{least * 1000:6.0f}"
                f"   ratio {least / base:4.2f}, limit {limit}; {holds}"
            )
        os.chdir("/")


if __name__ == "__main__":
    main()
