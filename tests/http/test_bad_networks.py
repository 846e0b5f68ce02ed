"""Applies over a network that goes wrong at random, against a real gateway: 500, each seeded.

Whatever happens on the way: the apply comes to an end, its report says what the gateway holds, a
second run gets there, and no role is created twice. One run in ten meets a network that is beyond
hope; all others get through.
"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from provisioner import catalogue
from provisioner.apply import apply_plan
from provisioner.backends.base import Run
from provisioner.backends.http import backend_over
from provisioner.backends.http.client import Client
from provisioner.backends.http.settings import HttpSettings, Secret
from provisioner.backends.registry import Opening
from provisioner.desired.load import read_document
from provisioner.engine.plan import TargetIdentity, make_plan
from provisioner.engine.settings import Safety, Settings
from provisioner.engine.writes import CreateRole, SetAssignment, replay
from provisioner.errors import ProvisionerError
from provisioner.model import DatedRole, DesiredRole, DesiredState, DesiredUser, Role, State
from provisioner.outcome import Outcome
from provisioner.server.app import create_app
from provisioner.testing.strategies import TODAY
from tests.engine import oracle
from tests.http.faults import FaultyProxy, seeded
from tests.server.running import WRITER, bearer, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.backends.base import Backend
    from provisioner.engine.plan import Plan
    from provisioner.engine.writes import Write
    from tests.http.faults import Chooser
    from tests.server.conftest import Proxy

RUNS, IN_ONE_TEST = 500, 25
RUN = Run("2026-03-01T00:00:00Z", "tests@here", "apply", "a test")
SETTINGS = Settings(safety=Safety(max_change_percent=None), adopt=True, allow_lockout=True)
SHIPPED = catalogue.shipped()
PRIVILEGES = sorted(SHIPPED.grantable)[:8]


@dataclass
class Silent:
    """Progress that nobody watches."""

    def start(self, total: int) -> None:
        pass

    def wrote(self, write: Write) -> None:
        pass


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gateway's database that nobody has written to; copies of it are quicker than new ones."""
    path = tmp_path_factory.mktemp("gateway") / "empty.sqlite"
    create_app(settings(path)).state.gateway.close()
    return path


@pytest.fixture
def fresh_gateway(proxy: Proxy, empty: Path, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes gateways, all of which are closed in the end; gives the URL of each."""
    opened: list[Any] = []

    def fresh() -> str:
        copy = tmp_path / f"gateway-{len(opened)}.sqlite"
        shutil.copy(empty, copy)
        app = create_app(settings(copy))
        opened.append(app.state.gateway)
        return proxy.add(app)

    yield fresh
    for gateway in opened:
        gateway.close()


def reached(url: str, *, changesets: bool = True, patience: float = 30.0) -> Backend:
    """The gateway at a URL, by a client in a hurry: waits are a twentieth of the usual ones."""
    told = HttpSettings(
        url,
        Secret(WRITER),
        changesets=changesets,
        concurrency=4,
        read_timeout=0.2,
        reply_timeout=0.2,
        total_timeout=patience,
    )
    client = Client(told, sleep=lambda seconds: time.sleep(seconds / 20))
    return backend_over(client, told, Opening({}, Path(), State(), None, read_document))


def some(chance: random.Random, among: list[str]) -> frozenset[str]:
    return frozenset(chance.sample(among, chance.randint(0, min(4, len(among)))))


def random_roles(chance: random.Random, names: list[str]) -> dict[str, Role]:
    """Roles that include only roles before them."""
    return {
        name: Role(name, f"about {name}", some(chance, PRIVILEGES), some(chance, names[:number]))
        for number, name in enumerate(names)
    }


def start(chance: random.Random, backend: Backend) -> State:
    """Fill the gateway with something to begin with; return what it holds."""
    names = [f"Role {letter}" for letter in "ABCDEFGH" if chance.random() < 0.6]
    writes: list[Write] = [CreateRole(role) for role in random_roles(chance, names).values()]
    holders = ((f"user-{number}@example.com", some(chance, names)) for number in range(5))
    writes += [SetAssignment(user, frozenset(), held) for user, held in holders if held]
    read = backend.read()
    after = replace(replay(read.state, writes), recorded=frozenset({"roles", "users"}))
    backend.commit(read.base, tuple(writes), after, RUN)
    return backend.read().state


def wanted(chance: random.Random, current: State) -> DesiredState:
    """Other roles, some of them the old ones under new names."""
    names = [f"Role {letter}" for letter in "ABCDEFGHIJK" if chance.random() < 0.6]
    gone = [n for n in current.roles if n not in names and not SHIPPED.is_default(n)]
    chance.shuffle(gone)
    roles = {}
    for name, role in random_roles(chance, names).items():
        is_renamed = gone and name not in current.roles and chance.random() < 0.4
        roles[name] = DesiredRole(role, gone.pop() if is_renamed else None)
    users = {}
    for number in range(6):
        login = f"user-{number}@example.com"
        users[login] = DesiredUser(login, tuple(map(DatedRole, sorted(some(chance, names)))))
    return DesiredState(roles, users)


def plan_for(backend: Backend, desired: DesiredState) -> Plan:
    snapshot = backend.read()
    told = backend.describe()
    target = TargetIdentity("panel", told.kind, "the gateway", told.capabilities)
    return make_plan(desired, snapshot, SETTINGS, TODAY, target, SHIPPED)


def carried_out(plan: Plan, backend: Backend) -> Outcome | ProvisionerError:
    told = backend.describe()
    plan = replace(plan, target=replace(plan.target, identity=told.identity))
    try:
        return apply_plan(
            plan,
            backend,
            run=RUN,
            today=TODAY,
            lock_timeout=0.0,
            progress=Silent(),
            stopped=lambda: False,
        )
    except ProvisionerError as error:
        return error


def content(state: State, known: State) -> object:
    return oracle.known(replace(state, recorded=frozenset(), policies=()), known)


def possible_ends(start: State, outcome: Outcome | ProvisionerError, plan: Plan) -> list[State]:
    """The states that a report allows: one, unless it says that an outcome is unknown."""
    if isinstance(outcome, ProvisionerError):
        unknown = any(found.id == "unknown-outcome" for found in outcome.diagnostics)
        return [start, *([end_of(plan, start)] if unknown else [])]
    told = outcome.error.diagnostics if outcome.error else ()
    ends = [replay(start, outcome.applied)]
    if any(found.id == "unknown-outcome" for found in told):
        for write in outcome.failed:
            ends += [replay(end, [write]) for end in list(ends)]
    return ends


def end_of(plan: Plan, start: State) -> State:
    from provisioner.engine.plan import transition

    return transition(plan, start).after


def hopeless_after(count: int, faults: Chooser) -> Chooser:
    """A network that is sound for so many requests."""
    return lambda number, method, path: faults(number, method, path) if number >= count else None


def check_run(seed: int, url: str, statistics: Counter[str]) -> None:
    chance = random.Random(seed)
    changesets = chance.random() < 0.3
    clean = reached(url, changesets=changesets)
    before = start(chance, reached(url))
    desired = wanted(chance, before)
    plan = plan_for(clean, desired)
    assert not plan.blockers, plan.blockers
    hopeless = seed % 10 == 9
    faults = seeded(seed, chance.choice([0.1, 0.3, 0.5]))
    if hopeless:
        faults = hopeless_after(chance.randint(3, 12), seeded(seed, 0.9, in_a_row=100))
    with FaultyProxy(url, faults, stall=2.0) as proxy:
        patience = 0.7 if hopeless else 30.0
        over_it = reached(proxy.url, changesets=changesets, patience=patience)
        outcome = carried_out(plan, over_it)
    now = reached(url).read().state
    allowed = possible_ends(before, outcome, plan)
    assert content(now, before) in [content(end, before) for end in allowed], outcome
    complete = isinstance(outcome, Outcome) and outcome.is_complete
    assert complete or hopeless, outcome
    statistics["complete" if complete else "broken off"] += 1
    statistics["unknown"] += len(allowed) > 1
    statistics["faults"] += sum(fault is not None for _, _, fault in proxy.log)
    again = plan_for(clean, desired)
    assert not again.blockers, again.blockers
    if not again.is_empty:
        second = carried_out(again, clean)
        assert isinstance(second, Outcome), second
        assert second.is_complete, second
    assert plan_for(clean, desired).is_empty
    check_nothing_twice(url)


def check_nothing_twice(url: str) -> None:
    """The gateway's own record of what was done: no name was given to two new roles in a row."""
    made: Counter[str] = Counter()
    cursor: str | None = ""
    while cursor is not None:
        asked = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
        page = requests.get(f"{url}/audit", params=asked, headers=bearer(WRITER), timeout=10).json()
        for item in page["items"]:
            if item["action"].startswith("create"):
                made[item["after"]["id"]] += 1
        cursor = page["next"]
    assert all(count == 1 for count in made.values()), made


@pytest.mark.parametrize("first", range(0, RUNS, IN_ONE_TEST))
def test_an_apply_over_a_bad_network(first: int, fresh_gateway: Callable[[], str]) -> None:
    statistics: Counter[str] = Counter()
    for seed in range(first, first + IN_ONE_TEST):
        check_run(seed, fresh_gateway(), statistics)
    assert statistics["faults"] > IN_ONE_TEST
    assert statistics["unknown"] <= statistics["broken off"], statistics
