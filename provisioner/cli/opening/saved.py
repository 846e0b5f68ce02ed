"""A saved plan and the project that applies it: found, opened, and asked what it says now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.desired.files import read_bytes
from provisioner.diagnostics import Diagnostic
from provisioner.documents.plan import decode
from provisioner.engine.planning.saved import Judge, moved_on
from provisioner.errors import InvalidInput
from provisioner.opening.session import load_project, open_project
from provisioner.project.search import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.cli.invocation import Invocation
    from provisioner.engine.planning.plan import Plan
    from provisioner.model import Snapshot
    from provisioner.opening.session import Session


def read_plan(path: str) -> Plan:
    """Read a saved plan.

    Raises:
        InvalidInput: It can't be read, is no plan, or contradicts itself.
    """
    data = read_bytes(path, streams=True)
    if isinstance(data, Diagnostic):
        raise InvalidInput(data)
    return decode(data, path)


def apply_command(run: Invocation, path: str, config: str | None) -> str:
    """The command that applies a saved plan, as it can be pasted into a shell."""
    named = None if config == FILE_NAME else config
    return replace(run, config=named, target=None).pasted("apply", "--plan", path)


def not_bound(plan: Plan) -> Iterator[str]:
    """Say where nothing keeps a plan from being applied twice."""
    if plan.applyable and not plan.target.capabilities.history:
        yield "This target keeps no history: the plan can be applied again wherever it fits again."


def open_for(run: Invocation, plan: Plan, path: str) -> Session:
    """Open the plan's target, by its name, in the project that is found here.

    A target that the command line itself names has to be the plan's.

    Raises:
        InvalidInput: This is not the project, or not the target, that the plan is for.
    """
    project, name = load_project(run), plan.target.name
    if "target" in run.given and run.target != name:
        message = f"the plan is for the target `{name}`, not for `{run.target}`"
        raise InvalidInput(
            Diagnostic("other-target", message, path, "leave out --target: the plan has it")
        )
    if project.file is None and plan.target.config is not None:
        raise InvalidInput(_other_project(run, plan, path, f"there is no {FILE_NAME} here"))
    if name not in project.targets:
        raise InvalidInput(_other_project(run, plan, path, f"it has no target `{name}`"))
    session = open_project(run, project, name)
    identity = session.identity()
    if (plan.target.kind, plan.target.identity) != (identity.kind, identity.identity):
        message = f"the plan is for {plan.target.identity}, this target is {identity.identity}"
        other = _other_project(run, plan, path, message)
        raise InvalidInput(replace(other, id="other-target", message=message))
    # A target that nobody has written yet has nothing of its own to be told by.
    unwritten = plan.base.lineage is None and plan.target.capabilities.history
    if unwritten and plan.target.project != identity.project:
        why = "its project file has another content, and the target was not written yet"
        raise InvalidInput(_other_project(run, plan, path, why))
    return session


def _other_project(run: Invocation, plan: Plan, path: str, why: str) -> Diagnostic:
    made_in = plan.target.config
    message = f"the plan was made in another project than this one: {why}"
    if made_in is None:
        message = f"the plan was made without a project file, and this project is another: {why}"
        return Diagnostic("other-project", message, path, "apply it there, or make a new plan")
    remedy = f"`{apply_command(run, path, made_in)}`, or make a new plan"
    if made_in == FILE_NAME:
        remedy = f"apply it in the folder of its {FILE_NAME}, or make a new plan"
    return Diagnostic("other-project", message, path, remedy)


def tell_what_moved(plan: Plan, session: Session, snapshot: Snapshot, judge: Judge) -> None:
    """Note what has changed since the plan was made, and what it can't be judged by."""
    output = session.run.output
    if not output.is_text:
        return
    if session.project.file is not None and judge.desired is None:
        output.note(
            "The project's sources are not here: this plan is judged by the project file, and by "
            "the policies in the plan."
        )
    for what in moved_on(plan, snapshot, judge):
        output.note(f"{what}: it is applied if it still fits.")
