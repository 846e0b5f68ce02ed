"""One apply over a network that goes wrong at random, and what must hold after it.

The apply comes to an end, its report says what the panel holds, a second run gets there, and no
role is created twice. One run in ten meets a network that is beyond hope. All others get through,
unless a creation may have been lost that an API without keys can't be asked for again.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from provisioner.apply.outcome import Outcome
from provisioner.apply.run import apply_plan
from provisioner.backends.base import Run
from provisioner.backends.http.transport.client import Client
from provisioner.backends.http.transport.settings import HttpSettings, Secret
from provisioner.engine.planning.making import make_plan
from provisioner.engine.planning.plan import TargetIdentity
from provisioner.engine.settings import Safety, Settings
from provisioner.engine.writes import CreateRole, SetAssignment, replay
from provisioner.errors import ProvisionerError
from provisioner.model import (
    Catalogue,
    DatedRole,
    DesiredRole,
    DesiredState,
    DesiredUser,
    Role,
    State,
)
from provisioner.testing.world import TODAY
from tests.engine import oracle
from tests.http.faults import FaultyProxy, seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.backends.base import Backend
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.writes import Write
    from tests.http.faults import Chooser

AT_A_TIME = 8
RUN = Run("2026-03-01T00:00:00Z", "tests@here", "apply", "a test")
SETTINGS = Settings(safety=Safety(max_change_percent=None), adopt=True, allow_lockout=True)


class Scene(Protocol):
    """A panel of its own for one run. ``users`` are the logins that it knows."""

    url: str
    catalogue: Catalogue
    users: tuple[str, ...]

    def reached(self, client: Client, settings: HttpSettings) -> Backend:
        """An adapter that reaches the panel with a client."""
        ...

    def fill(self, writes: tuple[Write, ...]) -> None:
        """Make the panel hold something to begin with."""
        ...

    def check_nothing_twice(self) -> None:
        """Look in the panel itself for what was created twice."""
        ...


@dataclass
class Silent:
    """Progress that nobody watches."""

    def start(self, total: int) -> None:
        pass

    def wrote(self, write: Write) -> None:
        pass


@contextmanager
def reached(
    scene: Scene, url: str | None = None, *, changesets: bool = True, patience: float = 30.0
) -> Iterator[Backend]:
    """The panel; over a URL of a bad network, by a client in a hurry.

    It waits a twentieth of the usual time before it repeats something, and not long for an answer;
    long enough, though, for a machine that is busy otherwise.
    """
    settings = HttpSettings(
        url or scene.url,
        Secret("writing-token-for-tests"),
        changesets=changesets,
        concurrency=4,
        total_timeout=patience,
    )
    if url is not None:
        settings = replace(settings, read_timeout=0.5, reply_timeout=0.5)
    client = Client(settings, sleep=lambda seconds: time.sleep(seconds / 20))
    yield scene.reached(client, settings)
    client.close()


def some(chance: random.Random, among: list[str]) -> frozenset[str]:
    return frozenset(chance.sample(among, chance.randint(0, min(4, len(among)))))


def random_roles(scene: Scene, chance: random.Random, names: list[str]) -> dict[str, Role]:
    """Roles that include only roles before them."""
    known = sorted(scene.catalogue.grantable)[:8]
    return {
        name: Role(name, f"about {name}", some(chance, known), some(chance, names[:number]))
        for number, name in enumerate(names)
    }


def start(scene: Scene, chance: random.Random) -> State:
    """Fill the panel with something to begin with; return what it holds."""
    names = [f"Role {letter}" for letter in "ABCDEFGH" if chance.random() < 0.6]
    writes: list[Write] = [CreateRole(role) for role in random_roles(scene, chance, names).values()]
    holders = ((user, some(chance, names)) for user in scene.users)
    writes += [SetAssignment(user, frozenset(), held) for user, held in holders if held]
    scene.fill(tuple(writes))
    return stored(scene)


def stored(scene: Scene) -> State:
    """What the panel holds."""
    with reached(scene) as backend:
        return backend.read().state


def wanted(scene: Scene, chance: random.Random, current: State) -> DesiredState:
    """Other roles, some of them the old ones under new names."""
    names = [f"Role {letter}" for letter in "ABCDEFGHIJK" if chance.random() < 0.6]
    gone = [n for n in current.roles if n not in names and not scene.catalogue.is_default(n)]
    chance.shuffle(gone)
    roles = {}
    for name, role in random_roles(scene, chance, names).items():
        is_renamed = gone and name not in current.roles and chance.random() < 0.4
        roles[name] = DesiredRole(role, gone.pop() if is_renamed else None)
    users = {
        login: DesiredUser(login, tuple(map(DatedRole, sorted(some(chance, names)))))
        for login in scene.users
    }
    return DesiredState(roles, users)


def plan_for(scene: Scene, backend: Backend, desired: DesiredState) -> Plan:
    snapshot = backend.read()
    told = backend.describe()
    target = TargetIdentity("panel", told.kind, "the gateway", told.capabilities)
    return make_plan(desired, snapshot, SETTINGS, TODAY, target, scene.catalogue).plan


def carried_out(plan: Plan, backend: Backend) -> Outcome | ProvisionerError:
    try:
        told = backend.describe()
        plan = replace(plan, target=replace(plan.target, identity=told.identity))
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
    """The states that a report allows: one, unless it lists writes as unknown."""
    if isinstance(outcome, ProvisionerError):
        unknown = any(found.id == "unknown-outcome" for found in outcome.diagnostics)
        return [start, *([end_of(plan, start)] if unknown else [])]
    ends = [replay(start, outcome.applied)]
    for write in outcome.unknown:
        ends += [replay(end, [write]) for end in list(ends)]
    return ends


def end_of(plan: Plan, start: State) -> State:
    return plan.passage(start).after


def hopeless_after(count: int, faults: Chooser) -> Chooser:
    """A network that is sound for so many requests."""
    return lambda number, method, path: faults(number, method, path) if number >= count else None


def is_careful(outcome: Outcome | ProvisionerError) -> bool:
    """Whether it broke off for a good reason.

    A creation that may have been lost is not asked for again where the API has no keys; and who
    refuses four connections in a row is taken to be down.
    """
    told = outcome.error if isinstance(outcome, Outcome) else outcome
    return told is not None and any(
        found.id == "not-made" or "no connection (Connection refused)" in found.message
        for found in told.diagnostics
    )


def check_run(seed: int, scene: Scene) -> Counter[str]:
    """Do everything that the module's docstring says, with this seed's numbers; how it went."""
    statistics: Counter[str] = Counter()
    chance = random.Random(seed)
    changesets = chance.random() < 0.3
    before = start(scene, chance)
    desired = wanted(scene, chance, before)
    with reached(scene, changesets=changesets) as clean:
        plan = plan_for(scene, clean, desired)
        assert not plan.blockers, plan.blockers
        outcome = over_a_bad_network(seed, chance, scene, plan, statistics, changesets=changesets)
        now = stored(scene)
        allowed = possible_ends(before, outcome, plan)
        assert content(now, before) in [content(end, before) for end in allowed], outcome
        statistics["unknown"] += len(allowed) > 1
        again = plan_for(scene, clean, desired)
        assert not again.blockers, again.blockers
        if not again.is_empty:
            second = carried_out(again, clean)
            assert isinstance(second, Outcome), second
            assert second.is_complete, second
        assert plan_for(scene, clean, desired).is_empty
    scene.check_nothing_twice()
    return statistics


def over_a_bad_network(
    seed: int,
    chance: random.Random,
    scene: Scene,
    plan: Plan,
    statistics: Counter[str],
    *,
    changesets: bool,
) -> Outcome | ProvisionerError:
    """Apply the plan; what came of it."""
    hopeless = seed % 10 == 9
    faults = seeded(seed, chance.choice([0.1, 0.3, 0.5]))
    if hopeless:
        faults = hopeless_after(chance.randint(3, 12), seeded(seed, 0.9, in_a_row=100))
    with FaultyProxy(scene.url, faults, stall=2.0) as proxy:
        patience = 0.7 if hopeless else 30.0
        with reached(scene, proxy.url, changesets=changesets, patience=patience) as over_it:
            outcome = carried_out(plan, over_it)
    complete = isinstance(outcome, Outcome) and outcome.is_complete
    assert complete or hopeless or is_careful(outcome), outcome
    statistics["complete" if complete else "broken off"] += 1
    statistics["faults"] += sum(fault is not None for _, _, fault in proxy.log)
    return outcome


def check_runs(seeds: range, scenes: Callable[[], Scene]) -> Counter[str]:
    """Check a run for each seed, each with a panel of its own; how they went.

    They mostly wait, so several are under way at a time.
    """
    panels = [scenes() for _ in seeds]
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        statistics = sum(threads.map(check_run, seeds, panels), Counter[str]())
    assert statistics["faults"] > len(seeds)
    assert statistics["unknown"] <= statistics["broken off"], statistics
    return statistics
