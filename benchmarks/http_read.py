"""Reading 10,000 roles from the reference gateway, and a plan that finds no changes.

Counted is the CPU time of the client alone, against that of fetching the same bytes and parsing
them as JSON, in the same process. At most 1 s of CPU time.

Usage: python benchmarks/http_read.py [ROUNDS]
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
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.backends.base import Run
from provisioner.backends.opening import Opening
from provisioner.backends.registry import open_backend
from provisioner.cli.options import today
from provisioner.desired.load import read_document
from provisioner.engine.planning.making import make_plan
from provisioner.engine.planning.plan import TargetIdentity
from provisioner.engine.settings import Settings
from provisioner.engine.writes import CreateRole, replay
from provisioner.model import DesiredRole, DesiredState, Role, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROLES, PRIVILEGES, OF = 10_000, 12, 200
LIMIT = 1.0
TOKEN = "a-token-for-the-benchmark-only"  # noqa: S105 - it opens nothing but the server below


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """Run the reference gateway on a fresh database; its URL."""
    catalogue = {"version": 1, "privileges": [{"name": f"P_{number}"} for number in range(OF)]}
    (folder / "catalogue.yaml").write_text(json.dumps(catalogue))
    script = str(Path(sys.executable).with_name("provisioner"))
    command = [script, "serve", "--port", "0", "--catalogue", str(folder / "catalogue.yaml")]
    command += ["--database", str(folder / "gateway.sqlite")]
    environment = {**os.environ, "PROVISIONER_SERVE_TOKEN": TOKEN}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[2]
        finally:
            server.terminate()


def opened(url: str) -> Opening:
    """A target on the gateway."""
    options = {"backend": "http", "url": url, "token_env": "BENCHMARK_TOKEN", "reply_timeout": 60}
    return Opening(options, Path(), State(), read_yaml=read_document)


def fill(url: str) -> None:
    """Create the roles in one changeset."""
    chance = random.Random(1)
    names = [f"P_{number}" for number in range(OF)]
    writes = tuple(
        CreateRole(
            Role(f"Role {number:05d}", "A role", frozenset(chance.sample(names, PRIVILEGES)))
        )
        for number in range(ROLES)
    )
    backend = open_backend("http", opened(url))
    read = backend.read()
    run = Run("2026-01-01T00:00:00Z", "bench", "apply", "a benchmark")
    backend.commit(read.base, writes, replay(read.state, writes), run)


def read_and_plan(url: str, desired: DesiredState) -> None:
    """What `plan` does with such a target, its sources aside."""
    backend = open_backend("http", opened(url))
    snapshot = backend.read()
    told = backend.describe()
    target = TargetIdentity("bench", told.kind, told.identity, told.capabilities)
    assert snapshot.catalogue is not None
    plan = make_plan(desired, snapshot, Settings(), today(), target, snapshot.catalogue).plan
    assert plan.is_empty
    assert len(snapshot.state.roles) >= ROLES


def fetch_and_parse(url: str) -> None:
    """The least that any client has to do."""
    request = urllib.request.Request(  # noqa: S310 - an address of our own
        f"{url}/state", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with urllib.request.urlopen(request) as reply:  # noqa: S310
        assert len(json.loads(reply.read())["roles"]) >= ROLES


def cpu_seconds(work: Callable[[], object]) -> float:
    """The CPU time of this process, without garbage collection, as the command line runs."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    work()
    taken = time.process_time() - start
    gc.enable()
    return taken


def main() -> None:
    """Measure in turns, print medians and the ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    os.environ["BENCHMARK_TOKEN"] = TOKEN
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder)) as url:
        fill(url)
        roles = open_backend("http", opened(url)).read().state.roles
        desired = DesiredState({name: DesiredRole(role) for name, role in roles.items()})
        kinds: dict[str, Callable[[], object]] = {
            "fetch and parse alone": lambda: fetch_and_parse(url),
            "read and plan": lambda: read_and_plan(url, desired),
        }
        taken: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, work in kinds.items():
                taken[kind].append(cpu_seconds(work))
    base = statistics.median(taken["fetch and parse alone"])
    print(f"{ROLES:,} roles with {PRIVILEGES} privileges over HTTP; CPU ms, median of {rounds}")
    for kind, times in taken.items():
        middle, least, most = (f(times) * 1000 for f in (statistics.median, min, max))
        ratio = middle / 1000 / base
        print(f"  {kind:<22}{middle:7.0f}  ({least:.0f} to {most:.0f})   ratio {ratio:5.1f}")
    print(f"  limit: {LIMIT * 1000:.0f} ms of CPU time")


if __name__ == "__main__":
    main()
