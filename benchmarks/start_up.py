"""How long ``provisioner --version`` takes, against a script that only imports click.

At most 1.5 times as long. The two are run in turns, so that noise hits both.

Usage: python benchmarks/start_up.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path


def seconds(command: list[str]) -> float:
    """How long a process takes, from start to end."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure in turns, print medians and the ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    script = str(Path(sys.executable).with_name("provisioner"))
    commands = {
        "import click": [sys.executable, "-c", "import click"],
        "provisioner --version": [script, "--version"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(seconds(command))
    base = statistics.median(taken["import click"])
    print(f"start-up, median of {rounds} (ms)")
    for name, times in taken.items():
        middle = statistics.median(times)
        print(f"  {name:<24}{middle * 1000:6.1f}   ratio {middle / base:4.2f}")
    print("  limit for the ratio: 1.5")


if __name__ == "__main__":
    main()
