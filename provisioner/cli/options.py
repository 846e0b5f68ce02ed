"""Options, each declared once. Every one can be set by ``PROVISIONER_<NAME>`` as well."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from provisioner.cli.files import own_stream
from provisioner.desired.yaml.scalars import iso_date
from provisioner.reports.formats import FORMATS, Format, offered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.reports.report import Report

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

Wanted = tuple[Format, str | None]


class Option(click.Option):
    """An option with its environment variable: PROVISIONER_LOCK_TIMEOUT for ``--lock-timeout``.

    A variable that is empty is not set, unless ``empty_is_given``: for guards, where nothing in
    place of a name must not switch them off. An option that is empty names nothing, and is refused.
    """

    def __init__(
        self, declarations: Any = None, *, empty_is_given: bool = False, **settings: Any
    ) -> None:
        super().__init__(declarations, **settings)
        self._empty_is_given = empty_is_given
        if self.envvar is None and self.name is not None:
            longest = max(self.opts, key=len)
            self.envvar = "PROVISIONER_" + longest.lstrip("-").upper().replace("-", "_")

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The variable's value, if it counts as given."""
        found = super().resolve_envvar_value(ctx)
        if found is None and self._empty_is_given and isinstance(self.envvar, str):
            return os.environ.get(self.envvar)
        return found

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The value as the command gets it."""
        found = super().process_value(ctx, value)
        is_empty = found == "" or (isinstance(found, tuple) and "" in found)
        if is_empty and not self._empty_is_given:
            raise click.BadParameter("it is empty; give it a value, or leave it out", ctx, self)
        return found


class IsoDate(click.ParamType[date]):
    """A date as YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:
        """Return the date, or fail with what is right."""
        if isinstance(value, date):
            return value
        day = iso_date(value)
        if day is None:
            return self.fail(f"`{value}` is no date; write YYYY-MM-DD", param, ctx)
        return day


def option(*names: str, **settings: Any) -> Decorator:
    """Declare an option of one command."""
    return click.option(*names, cls=Option, **settings)


def chain(*decorators: Decorator) -> Decorator:
    """Several options as one."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


manner = chain(
    option("--no-color", is_flag=True, help="No colour, also with NO_COLOR."),
    option("-v", "--verbose", is_flag=True, help="Say more on standard error."),
    option("-q", "--quiet", is_flag=True, help="Say only what was asked for."),
)


class FormatType(click.ParamType["Wanted"]):
    """``NAME`` or ``NAME=FILE``, for the formats that suit all of these reports."""

    name = "format"

    def __init__(self, reports: tuple[type[Report], ...]) -> None:
        self.reports = reports

    @property
    def choices(self) -> tuple[str, ...]:
        """The names of the formats."""
        return offered(self.reports)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return how it is written."""
        return f"[{'|'.join(self.choices)}][=FILE]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Wanted:
        """Return the format and the file, which is None for standard output."""
        if not isinstance(value, str):
            return cast("Wanted", value)
        name, _, file = value.partition("=")
        if name not in self.choices:
            names = ", ".join(map(repr, self.choices))
            hint = next((f"; did you mean {n}={value}?" for n in self._of_ending(value)), ".")
            return self.fail(f"{value!r} is not one of {names}{hint}", param, ctx)
        if value.endswith("="):
            return self.fail(f"`{value}` names no file", param, ctx)
        return FORMATS[name], None if not file or own_stream(file) == 1 else file

    def _of_ending(self, value: str) -> Iterator[str]:
        return (n for n in self.choices if value.casefold().endswith(FORMATS[n].endings))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin so."""
        return [CompletionItem(name) for name in self.choices if name.startswith(incomplete)]


def _at_most_one_each(
    _: click.Context, param: click.Parameter, wanted: tuple[Wanted, ...]
) -> tuple[Wanted, ...]:
    """Refuse two results for one place."""
    places = [None if file is None else os.path.realpath(file) for _, file in wanted]
    for form, file in wanted:
        if places.count(None if file is None else os.path.realpath(file)) > 1:
            where = "standard output" if file is None else f"`{file}`"
            message = f"it names {where} more than once; write another result as {form.name}=FILE"
            raise click.BadParameter(message, param=param)
    return wanted


def formats(reports: tuple[type[Report], ...]) -> Decorator:
    """``--format``, with the formats that suit these reports."""
    return option(
        "--format",
        type=FormatType(reports),
        multiple=True,
        callback=_at_most_one_each,
        help="How to print results and errors; with =FILE, write them there as well. Repeatable.",
    )


TRUST: Final = "PROVISIONER_TRUST_FILE"


def _trust_named(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The trust file. A name that is there but empty must not pass for none."""
    if value == "":
        message = f"it is empty; name the file, or take --trust and {TRUST} away"
        raise click.BadParameter(message, param=param)
    return value


config = chain(
    option(
        "--config",
        metavar="FILE",
        help="The project file. Default: provisioner.yaml, where there is one.",
    ),
    option(
        "--trust",
        envvar=TRUST,
        empty_is_given=True,
        metavar="FILE",
        callback=_trust_named,
        help="Refuse what the project file names and FILE does not list; see docs/security.md.",
    ),
)


target = chain(
    option("--target", metavar="NAME", help="The target, where the project has several."),
    option(
        "--insecure-http",
        is_flag=True,
        help="Allow http:// targets: what is sent, the token too, can be read on the way.",
    ),
)


def _number(_: click.Context, param: click.Parameter, value: float) -> float:
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        raise click.BadParameter("it is not a number", param=param)
    return value


lock_timeout = option(
    "--lock-timeout",
    type=click.FloatRange(min=0, max=86_400),
    default=0.0,
    callback=_number,
    metavar="SECONDS",
    help="How long to wait for another run's lock. Default: do not wait.",
)
as_of = option(
    "--as-of",
    type=IsoDate(),
    metavar="DATE",
    help="The day on which `until` dates are judged. Default: today, in UTC.",
)
auto_approve = option("-y", "--auto-approve", is_flag=True, help="Apply without asking.")


def out(text: str) -> Decorator:
    """``--out``, with the help text of one command."""
    return option("-o", "--out", metavar="FILE", help=text)


guards = chain(
    option("--adopt", is_flag=True, help="Take what is not managed yet under management."),
    option(
        "--max-deletes",
        type=click.IntRange(min=0),
        metavar="N",
        help="Allow this many roles to be deleted.",
    ),
    option(
        "--max-change-percent",
        type=click.IntRange(0, 100),
        metavar="N",
        help="Allow this share of roles deleted and of users losing access. Default: 30.",
    ),
    option("--allow-lockout", is_flag=True, help="Allow that no administrator remains."),
    option("--new-only", is_flag=True, help="Let pass what breaks a policy already."),
    option(
        "--actor",
        metavar="NAME",
        empty_is_given=True,
        help="Who asks for the change, as a login or a name under `actors:`: must not gain by it.",
    ),
    option(
        "--rules-from",
        metavar="REV|FILE",
        empty_is_given=True,
        help="Judge by the rules there as well: in CI, those of the target branch.",
    ),
)
only_these = option(
    "--only-these",
    is_flag=True,
    help="Mean the given SOURCEs alone, though the project has others.",
)
source = option(
    "--source",
    multiple=True,
    metavar="PATH",
    help="A file, a folder, or -; repeatable. Default: the project file's sources.",
)
# Where a command has no other arguments. Both together add up: see `take_sources`.
sources = chain(click.argument("sources", nargs=-1, metavar="[SOURCE]..."), source)
current = option(
    "--current", is_flag=True, help="The target's state, not what the sources ask for."
)


def take_sources(ctx: click.Context, given: dict[str, Any]) -> None:
    """Put what ``sources`` and ``source`` gave together, as ``sources``.

    What the command line names takes the place of what the variable names.
    """
    if "source" not in given:
        return
    named, more = given.get("sources", ()), given.pop("source")
    is_variable = ctx.get_parameter_source("source") is ParameterSource.ENVIRONMENT
    given["sources"] = named if named and is_variable else (*named, *more)


def today() -> date:
    """Today's date in UTC."""
    return datetime.now(UTC).date()
