"""What Python programs are offered; ``provisioner`` exports it, and docs/api.md shows it at work.

The same functions as the command line's, judged in the same way. Nothing is printed: what does not
stand in the way is collected in ``Target.warnings``, everything else is returned or raised.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Unpack

from provisioner.engine.access.chains import declared_state
from provisioner.engine.access.effective import access_of
from provisioner.engine.access.explain import Explainer
from provisioner.opening.session import NO_GUARDS, open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date
    from typing import TypedDict

    from provisioner.apply.outcome import Outcome
    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.engine.access.explain import Explanation
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.writes import Write
    from provisioner.model import State
    from provisioner.opening.session import Session

    class Guards(TypedDict, total=False):
        """The options of ``plan`` that judge it; docs/judging.md says what each means."""

        adopt: bool
        max_deletes: int | None
        max_change_percent: int | None
        allow_lockout: bool
        new_only: bool
        actor: str | None
        rules_from: str | None
        only_these: bool


def today() -> date:
    """Today's date in UTC, on which end dates are judged."""
    return datetime.now(UTC).date()


def open_target(
    config: str | None = None,
    target: str | None = None,
    *,
    trust: str | None = None,
    insecure_http: bool = False,
) -> Target:
    """Read a project file and open one of its targets; nothing is read from the target yet.

    Args:
        config: The project file. None: the nearest ``provisioner.yaml`` from here upwards; without
            one, a panel in a file below ``.provisioner``.
        target: A target's name in it. None: the only one.
        trust: The trust file that limits what the project file may reach (docs/security.md).
        insecure_http: Allow http:// targets, to which secrets go unencrypted.

    Raises:
        InvalidInput: The project file, the target, its catalogue or the trust file is wrong.
    """
    asked = _Asked(config, target, trust, insecure_http)
    return Target(open_session(asked), asked.output)


class Target:
    """One panel of a project. Made by ``open_target``; for one thread at a time."""

    def __init__(self, session: Session, heard: _Heard) -> None:
        self._session = session
        self._heard = heard

    @property
    def name(self) -> str:
        """Its name in the project file."""
        return self._session.target.name

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What was found so far and forbids nothing, each once."""
        return tuple(dict.fromkeys(self._heard.warnings))

    def state(self) -> State:
        """Read what the target holds now.

        Raises:
            BackendError: It can't be read whole.
        """
        return self._session.backend.read().state

    def plan(self, *sources: str, as_of: date | None = None, **guards: Unpack[Guards]) -> Plan:
        """Compare sources with the target and plan the way; nothing is changed.

        Args:
            sources: Files and folders. None: those that the project file names.
            as_of: The day on which end dates are judged. None: today, in UTC.
            guards: As the options of ``provisioner plan``, with underscores.

        Raises:
            InvalidInput: With every problem of the sources.
            BackendError: The target can't be read whole.
        """
        from provisioner.opening.planning import plan_sources

        return plan_sources(self._session, sources, {**NO_GUARDS, **guards}, as_of or today())

    def apply(
        self,
        plan: Plan,
        *,
        lock_timeout: float = 0.0,
        on_write: Callable[[Write], None] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Carry a plan out, or refuse it whole. It is judged again by what is stored now.

        Args:
            plan: Made by ``plan``, or read by ``read_plan``.
            lock_timeout: Seconds to wait for another run's lock.
            on_write: Called for each write that is confirmed; must neither raise nor wait.
            stopped: Asked between writes; once it says yes, no further one begins.

        Returns:
            What was done, what failed and what was not tried. A run that broke off raises nothing:
            see ``Outcome.is_complete`` and ``Outcome.error``.

        Raises:
            InvalidInput: The plan is for another target, or the sources are wrong.
            Blocked: A guard or policy forbids it.
            StalePlan: What is stored, or the date, has moved on; nothing was touched.
            LockHeld: Another run holds the lock; nothing was touched.
            BackendError: The target failed before anything was written.
        """
        from provisioner.apply.run import apply_plan
        from provisioner.backends.attribution import now, this_user
        from provisioner.backends.base import Run
        from provisioner.documents.plan import to_document
        from provisioner.opening.judge import judge_of
        from provisioner.reports.text.summary import history_line

        session, day = self._session, today()
        until = plan.dated if "users" in plan.manages else None
        digest = to_document(plan)["digest"]
        return apply_plan(
            plan,
            session.backend,
            run=Run(now(), this_user(), "apply", history_line(plan), digest, until),
            today=day,
            lock_timeout=lock_timeout,
            progress=_Progress(on_write or _ignore),
            stopped=stopped,
            judge=judge_of(plan, session, session.backend.read(), day),
        )

    def access(
        self, *sources: str, current: bool = False, as_of: date | None = None
    ) -> EffectiveAccess:
        """Who effectively holds what: ``of_user(login)``, ``of_role(name)``, and the ``state``.

        Args:
            sources: What they ask for. None: what the project file's sources do.
            current: What the target holds now, instead.
            as_of: The day on which end dates are judged. None: today, in UTC.

        Raises:
            InvalidInput: With every problem of the sources.
            BackendError: The target can't be read whole.
        """
        return self._view(sources, current=current, as_of=as_of).access

    def explain(
        self,
        login: str,
        privilege: str,
        *sources: str,
        current: bool = False,
        as_of: date | None = None,
    ) -> Explanation:
        """Why a user has a privilege, every chain of it, or why not. The rest as in ``access``."""
        return self._view(sources, current=current, as_of=as_of).explain("user", login, privilege)

    def _view(self, sources: tuple[str, ...], *, current: bool, as_of: date | None) -> Explainer:
        session, day = self._session, as_of or today()
        snapshot = session.backend.read()
        catalogue = session.catalogue_for(snapshot)
        if current:
            return Explainer(access_of(snapshot.state), catalogue, day)
        loaded = session.load(sources, catalogue, stored=snapshot.state.roles)
        self._heard.warn(loaded.warnings)
        desired = loaded.desired
        state = declared_state(desired, catalogue, day)
        access = access_of(state)
        return Explainer(access, catalogue, day, desired.provenance, desired.users or {})


def write_plan(plan: Plan) -> bytes:
    """A plan as the JSON that ``provisioner plan --out`` writes."""
    from provisioner.documents.plan import encode

    return encode(plan)


def read_plan(data: bytes, name: str = "plan.json") -> Plan:
    """The plan that JSON of ``write_plan`` holds; ``name`` is for messages.

    Raises:
        InvalidInput: It is no plan, or contradicts itself.
    """
    from provisioner.documents.plan import decode

    return decode(data, name)


@dataclass
class _Heard:
    """Collects what there is to say."""

    warnings: list[Diagnostic] = field(default_factory=list)
    is_text: bool = False

    def note(self, text: str) -> None:
        """Nobody reads along."""

    detail = note

    def warn(self, found: Iterable[Diagnostic]) -> None:
        self.warnings += found


@dataclass(frozen=True)
class _Asked:
    config: str | None
    target: str | None
    trust: str | None
    insecure_http: bool
    output: _Heard = field(default_factory=_Heard)


@dataclass(frozen=True)
class _Progress:
    wrote: Callable[[Write], None]

    def start(self, total: int) -> None:
        """Nobody counts."""


def _ignore(_: Write) -> None:
    """Nobody asked."""
