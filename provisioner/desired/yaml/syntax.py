"""What is no YAML: the complaint of its parser, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.desired.yaml.scalars import MAX_DEPTH
from provisioner.diagnostics import Diagnostic
from provisioner.model import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

# What libyaml says (a part of it), and what helps instead.
_SYNTAX_REMEDIES = (
    ("did not find expected alphabetic or numeric character", "quote what begins with `*` or `&`"),
    ("cannot start any token", "a value that starts with this character must be quoted"),
    ("did not find expected key", "check the indentation of this line and the one above"),
    (
        "mapping values are not allowed",
        "quote the text if it contains `: `; else check indentation",
    ),
    ("could not find expected ':'", "a key is followed by `:` and a blank"),
    ("did not find expected '-' indicator", "check the indentation of this list"),
    ("did not find expected ',' or", "close the bracket, or put commas between the items"),
    ("Unicode character escape", "write the character itself: this is half of one, or none"),
    ("unexpected end of stream", "a quote or bracket is never closed"),
)


def syntax_problem(error: yaml.YAMLError, file: str, data: bytes) -> Diagnostic:
    """What libyaml objects to, in words that help whoever wrote the file."""
    mark = getattr(error, "problem_mark", None)
    what = str(getattr(error, "problem", None) or error)
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
    if "maximum nesting depth" in what:  # libyaml reads ahead, and has a limit of its own
        return too_deep(place)
    line = _line(data, place.line)
    remedy = next(
        (hint for text, hint in _SYNTAX_REMEDIES if text in what), "check the YAML syntax"
    )
    sign = line[place.column - 2 : place.column - 1]
    if "alphabetic or numeric" in what and sign in ("*", "&"):
        what = f"a plain `{sign}` is no text in YAML: a name must follow it"
        remedy = f'quote it: "{sign}"'
    if "\t" in line[: max(place.column, len(line) - len(line.lstrip()))]:
        what, remedy = "a tab is used for indentation", "indent with blanks"
    return Diagnostic("yaml-syntax", what, place, remedy)


def too_deep(place: Place) -> Diagnostic:
    """Nesting that is refused, by us or by libyaml."""
    message = f"nested deeper than {MAX_DEPTH} levels"
    return Diagnostic("too-deep", message, place, "no file of ours needs more than 6")


def _line(data: bytes, number: int) -> str:
    lines: Iterator[bytes] = iter(data.splitlines())
    for index, line in enumerate(lines, start=1):
        if index == number:
            return line.decode("utf-8", errors="replace")
    return ""
