"""On the way nobody holds more than before or after it, and nobody needlessly less."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.engine.order import sequence
from provisioner.engine.order.steps import ordered
from provisioner.engine.order.world import World as TriedWorld
from provisioner.engine.transition.passage import passage_from
from provisioner.engine.writes import Unfit, replay
from provisioner.model import Capabilities
from provisioner.testing.strategies import worlds
from provisioner.testing.write_strategies import rollbacks
from tests.engine import oracle
from tests.engine.order.small_worlds import STORES, hard_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hypothesis.strategies import DataObject

    from provisioner.engine.order.elements import Element
    from provisioner.engine.order.grain import Grain
    from provisioner.engine.order.steps import Order
    from provisioner.engine.order.world import Trial
    from provisioner.engine.writes import Write
    from provisioner.model import State
    from provisioner.testing.world import World
    from tests.engine.order.small_worlds import Gap, SmallWorld

HARD = range(2_000)
UNLIMITED = 10**9


def states_on_the_way(start: State, writes: Iterable[Write]) -> list[State]:
    return list(accumulate(writes, lambda state, write: replay(state, (write,)), initial=start))


def told(order: Order) -> frozenset[Gap]:
    return frozenset((gap.user.casefold(), name) for gap in order.gaps for name in gap.privileges)


def order_of(it: SmallWorld) -> Order:
    passage = passage_from(it.before.state(), {}).to(it.after.state())
    return ordered(passage, Capabilities(), it.grain, limit=UNLIMITED)


def faults(it: SmallWorld) -> list[str]:
    """Say what is wrong with the order for a small world."""
    order = order_of(it)
    states = states_on_the_way(it.before.state(), order.writes)
    found = oracle.excesses(states)
    if oracle.missing(states) != told(order):
        found.append(f"missing {oracle.missing(states)}, told {told(order)}")
    if oracle.access(states[-1]) != oracle.access(it.after.state()):
        found.append("it leads elsewhere")
    found += [f"{gap} is avoidable" for gap in told(order) if it.can_do_with(told(order) - {gap})]
    return found


def test_hard_worlds() -> None:
    """Both promises at every write, the gaps exactly, and no order of any writes has fewer."""
    found = [(seed, fault) for seed in HARD for fault in faults(hard_world(seed))]
    assert not found


def test_hard_worlds_have_gaps_too() -> None:
    """Or the test above could not see a gap that is told and avoidable."""
    assert sum(bool(order_of(hard_world(seed)).gaps) for seed in HARD) >= 5


@given(
    worlds() | rollbacks() | worlds(tidy=False),
    st.sampled_from(STORES),
    st.booleans(),
    st.sampled_from([0, 50, UNLIMITED]),
    st.data(),
)
def test_any_world_in_any_order_within_a_step(
    it: World, grain: Grain, whole_roles: bool, limit: int, data: DataObject
) -> None:
    """Also with renames, new and deleted roles, in untidy states, and where little can be tried."""
    plan = it.plan()
    if plan.blockers:
        return
    passage = plan.passage(it.current)
    order = ordered(passage, Capabilities(whole_roles=whole_roles), grain, limit=limit)
    writes: list[Write] = []
    for step in order.steps:
        writes += step.writes if step.ordered else data.draw(st.permutations(step.writes))
    states = states_on_the_way(it.current, writes)
    assert oracle.excesses(states) == []
    assert oracle.missing(states) <= told(order)
    assert oracle.access(states[-1]) == oracle.access(passage.after)
    assert {n: replace(r, id=None) for n, r in states[-1].roles.items()} == {
        n: replace(r, id=None) for n, r in passage.after.roles.items()
    }


# Broken variants: each of them must be noticed in the hard worlds.


def only_gains(self: sequence.Sequencer, trial: Trial) -> str | None:
    world = self._world
    return next(
        (u for u, had in trial.former.items() if world.now[u] & ~had & ~world.after[u]), None
    )


def nobody(*_: object) -> None:
    return None


def direct_holders(self: TriedWorld, elements: Sequence[Element]) -> Trial | None:
    trial = _DO(self, elements)
    if trial is None:
        return None
    owners = {element.owner for element in trial.elements}
    direct = {
        login: had
        for login, had in trial.former.items()
        if login in owners or self.held[login] & owners
    }
    return trial._replace(former=direct) if direct else trial


def no_circle(*_: object) -> bool:
    return False


_DO = TriedWorld.do


@pytest.mark.parametrize(
    ("owner", "name", "broken"),
    [
        pytest.param(sequence.Sequencer, "_is_final", only_gains, id="growth judged by gains"),
        pytest.param(sequence.Sequencer, "_is_final", nobody, id="growth not judged"),
        pytest.param(sequence.Sequencer, "_is_harmless", nobody, id="sets replaced early"),
        pytest.param(TriedWorld, "do", direct_holders, id="only direct holders looked at"),
        pytest.param(TriedWorld, "unsafe", nobody, id="nobody is over"),
        pytest.param(TriedWorld, "missing", lambda *_: 0, id="gaps not seen"),
        pytest.param(TriedWorld, "_closes", no_circle, id="circles not seen"),
    ],
)
def test_a_broken_order_is_noticed(
    owner: type, name: str, broken: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, broken)

    def is_wrong(seed: int) -> bool:
        try:
            return bool(faults(hard_world(seed)))
        except (AssertionError, Unfit, RecursionError, sequence.OverBudget):
            return True

    assert any(map(is_wrong, HARD))
