"""CPU time of ``validate`` on a file with 2,000 mistakes, against the same file without them.

At most 5 times as much, whatever the mistake. Runs of the two alternate, so that noise hits both.

Usage: python benchmarks/many_mistakes.py [ROUNDS]
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

NUMBER = 2000
LIMIT = 5.0
ROLE = "  Role of team {n:04}: {{description: Team {n}, {includes}privileges: [ARDOCS_VIEW]}}\n"
# What is mistaken: (the text, what is written in its place; {n} is the role's number).
MISTAKES = {
    "a mistyped include": ("includes: [Role", "includes: [Rol"),
    "a mistyped privilege": ("ARDOCS_VIEW", "ARDOCS_VEIW_{n}"),
    "a mistyped key": ("description:", "descripton:"),
    "a key nobody knows": ("description:", "key-{n}:"),
    "a value of the wrong type": ("[ARDOCS_VIEW]", "ARDOCS_VIEW"),
    "an unclear number": ("Team {n},", "0{n},"),
    "a long text": ("Team {n},", "x" * 1100 + ","),
    "a key twice": ("description:", "description: x, description:"),
    "a tag": ("description: ", "description: !!str "),
    "an unknown set": ("privileges:", "sets: [set {n}], privileges:"),
    "a wrong exception": ("privileges:", "except: [NO_SUCH_{n}], privileges:"),
    "an impossible rename": ("privileges:", "renamed_from: Full Access, privileges:"),
    "another alphabet": ("Role of", "R\u043ele of"),
}


def sources(mistake: tuple[str, str] | None = None) -> str:
    """A file of roles, each including the one before, each with the mistake."""
    roles = []
    for n in range(NUMBER):
        includes = f"includes: [Role of team {n - 1:04}], " if n % 10 else ""
        if n % 10 == 0 and mistake and "includes" in mistake[0]:
            includes = f"includes: [Role of team {n + 1:04}], "
        role = ROLE.format(n=n, includes=includes)
        if mistake:
            right, wrong = (text.format(n=n) for text in mistake)
            role = role.replace(right, wrong)
        roles.append(role)
    return "version: 1\nroles:\n" + "".join(roles)


def cpu_seconds(file: Path) -> float:
    """What a run costs, of user's and system's time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = Path(sys.executable).with_name("provisioner")
    subprocess.run(
        [program, "validate", file], check=False, capture_output=True, stdin=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure in turns, print medians and ratios; fail where one is too high."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        sound, wrong = Path(folder) / "sound.yaml", Path(folder) / "wrong.yaml"
        sound.write_text(sources())
        print(f"{NUMBER:,} mistakes, CPU, median of {rounds} (ms)")
        for name, mistake in MISTAKES.items():
            wrong.write_text(sources(mistake))
            taken = [(cpu_seconds(sound), cpu_seconds(wrong)) for _ in range(rounds)]
            base, middle = (statistics.median(each) for each in zip(*taken, strict=True))
            worst = max(worst, middle / base)
            print(f"  {name:<28}{middle * 1000:7.0f}   ratio {middle / base:5.2f}")
    print(f"  limit for the ratio: {LIMIT:.0f}")
    if worst > LIMIT:
        sys.exit(os.EX_SOFTWARE)


if __name__ == "__main__":
    main()
