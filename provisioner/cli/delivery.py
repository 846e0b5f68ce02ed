"""A report on its way out: to the streams, and to the files of ``--format NAME=FILE``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from provisioner import signals
from provisioner.cli import streams
from provisioner.cli.files import open_outlet, result_kind
from provisioner.cli.output import Output
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput, ProvisionerError
from provisioner.reports.errors import ErrorReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.cli.invocation import Invocation
    from provisioner.project.settings import Project
    from provisioner.reports.formats import Format
    from provisioner.reports.report import Report

# What became of the changes is their exit code, whatever could be told of it; the other commands
# fail where something that they had to say was lost.
CHANGING: Final = frozenset({"apply", "init", "rollback", "serve", "unlock"})
LOST: Final = 1


def with_files(
    run: Invocation,
    wanted: Sequence[tuple[Format, str]],
    sources: tuple[str, ...],
    read: Sequence[str],
) -> Invocation:
    """Return the run with places for its results, each checked before the work begins.

    Raises:
        InvalidInput: With everything that is wrong with them.
    """
    if not wanted:
        return run
    project = _project(run)
    kinds: tuple[type[Report], ...] = (*run.reports, ErrorReport)
    errors: list[Diagnostic] = []
    files = []
    for form, path in wanted:
        try:
            kind = result_kind(form, kinds)
            files.append((form, open_outlet(path, kind, project, sources, read)))
        except InvalidInput as error:
            errors += error.diagnostics
    if errors:
        raise InvalidInput(errors)
    return replace(run, files=tuple(files))


def _project(run: Invocation) -> Project:
    """The project, to tell what its files are; where it can't be read, the command says so."""
    from provisioner.opening.session import load_project
    from provisioner.project.settings import Project

    try:
        return load_project(replace(run, output=Output(quiet=True)))
    except ProvisionerError:
        return Project()


def deliver(report: Report, run: Invocation) -> int:
    """Print a report and write its files; return the exit code.

    A file that can't be written is reported; it takes nothing away from the report, and nothing
    from the exit code of a command that changes something.
    """
    run.output.show(report)
    lost = _written(report, run)
    if not lost:
        return report.exit_code
    run.output.complain(lost)
    return report.exit_code if run.command in CHANGING else LOST


def _written(report: Report, run: Invocation) -> list[Diagnostic]:
    """Write the files whose facet the report has; return what could not be written, and why."""
    lost: list[Diagnostic] = []
    impatience = _Impatience()
    if run.files and run.command in CHANGING:
        signals.answer(impatience)
    for form, outlet in run.files:
        if not form.suits(type(report)):
            continue
        text = form.renderer.render(report, run.output.plain)
        data = form.renderer.leaving(text, "utf-8").encode()
        try:
            with impatience:
                outlet.write(data)
        except InvalidInput as error:
            lost += error.diagnostics
        except _GivenUp:
            message = "can't write it: nobody has read it, and the run was to end"
            lost.append(Diagnostic("unwritable", message, outlet.path))
    return lost


class _GivenUp(BaseException):
    """A signal asked to wait no longer for who reads a file. All else is done."""


class _Impatience:
    """What signals do once a change is over and told: they end the waiting for readers."""

    def __init__(self) -> None:
        self._is_writing = False

    def __enter__(self) -> None:
        self._is_writing = True

    def __exit__(self, *_: object) -> None:
        self._is_writing = False

    def __call__(self, *_: object) -> None:
        streams.hurry()
        if self._is_writing:
            self._is_writing = False
            raise _GivenUp
