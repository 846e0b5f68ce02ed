"""Applying 1,000 role changes to a gateway that takes 20 ms for each request, 16 at a time.

Measured against the time that the requests alone would take if nothing else cost anything:
1,000 / 16 x 20 ms. At most 1.25 times that.

Usage: python benchmarks/http_apply.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.apply.run import apply_plan
from provisioner.backends.base import Backend, Run
from provisioner.backends.opening import Opening
from provisioner.backends.registry import open_backend
from provisioner.cli.options import today
from provisioner.desired.load import read_document
from provisioner.engine.planning.making import make_plan
from provisioner.engine.planning.plan import TargetIdentity
from provisioner.engine.settings import Settings
from provisioner.model import DesiredRole, DesiredState, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.writes import Write

ROLES, MILLISECONDS, AT_A_TIME = 1000, 20, 16
IDEAL = ROLES / AT_A_TIME * MILLISECONDS / 1000
LIMIT = 1.25


class Silent:
    """Progress that nobody watches."""

    def start(self, total: int) -> None:
        """Nobody is told."""
        assert total == ROLES

    def wrote(self, write: Write) -> None:
        """Nobody is told."""


@contextmanager
def slow_gateway() -> Iterator[str]:
    """Run the slow gateway; its URL."""
    script = Path(__file__).with_name("slow_gateway.py")
    command = [sys.executable, str(script), str(ROLES), str(MILLISECONDS)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.stdin.close()


def seconds(backend: Backend) -> float:
    """How long it takes to apply a change of every role, from the plan to the record of the run."""
    snapshot = backend.read()
    roles = snapshot.state.roles
    grown = frozenset({"ACCOUNTS_VIEW_DET", "ARDOCS_VIEW"})
    less = frozenset({"ACCOUNTS_VIEW_DET"})
    wanted = less if next(iter(roles.values())).privileges == grown else grown
    desired = DesiredState(
        {name: DesiredRole(replace(role, privileges=wanted)) for name, role in roles.items()}
    )
    told = backend.describe()
    target = TargetIdentity("slow", told.kind, told.identity, told.capabilities)
    assert snapshot.catalogue is not None
    plan = make_plan(desired, snapshot, Settings(), today(), target, snapshot.catalogue).plan
    run = Run("2026-01-01T00:00:00Z", "bench", "apply", "a benchmark")
    start = time.perf_counter()
    outcome = apply_plan(
        plan,
        backend,
        run=run,
        today=today(),
        lock_timeout=0.0,
        progress=Silent(),
        stopped=lambda: False,
    )
    taken = time.perf_counter() - start
    assert outcome.is_complete, outcome.error
    assert outcome.error is None, outcome.error
    assert len(outcome.applied) == ROLES
    return taken


def main() -> None:
    """Measure, print the median and the ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with slow_gateway() as url:
        options = {"backend": "http", "url": url, "concurrency": AT_A_TIME, "changesets": False}
        opening = Opening(options, Path(), State(), read_yaml=read_document)
        backend = open_backend("http", opening)
        taken = [seconds(backend) for _ in range(rounds)]
    middle, least, most = statistics.median(taken), min(taken), max(taken)
    print(f"{ROLES:,} role changes, {MILLISECONDS} ms each, {AT_A_TIME} at a time; {rounds} rounds")
    print(f"  ideal {IDEAL:.2f} s, taken {middle:.2f} s ({least:.2f} to {most:.2f})")
    print(f"  ratio {middle / IDEAL:.2f}, limit {LIMIT}")


if __name__ == "__main__":
    main()
