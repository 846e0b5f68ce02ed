"""The CSV form of access reviews: safe to open in a spreadsheet, and read back to the same names.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return
for a formula (OWASP, "CSV Injection"). Such a cell gets an apostrophe in front, and so does one
that has the apostrophe already, so that reading takes exactly one away.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Final

from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioner.engine.review import Holdings

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def sheet_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under their headings, as RFC 4180 has it, but with plain line feeds."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_guarded(cell) for cell in row] for row in rows)
    return stream.getvalue()


def read_holdings(data: bytes, file: str, subject: str) -> Holdings:
    """Return who held what from an earlier sheet; ``subject`` is the heading of its names.

    Raises:
        InvalidInput: It is no such sheet; with the number of the line.
    """
    try:
        reader = csv.DictReader(StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        columns = reader.fieldnames or ()
        missing = [name for name in (subject, "privilege") if name not in columns]
        if missing:
            message = f"it has no column `{missing[0]}`"
            raise _refused(message, file, f"`provisioner access --by {subject} --format csv` does")
        held: dict[str, tuple[str, set[str]]] = {}
        for row in reader:
            name, privilege = row[subject], row["privilege"]
            if not name or not privilege:
                message = f"line {reader.line_num} lacks a {'privilege' if name else subject}"
                raise _refused(message, file, "export it again")
            name = _bare(name)
            key = name.casefold() if subject == "user" else name
            held.setdefault(key, (name, set()))[1].add(_bare(privilege))
    except UnicodeDecodeError as error:
        raise _refused("it is not in UTF-8", file, "export it again") from error
    except csv.Error as error:
        raise _refused(f"it is no CSV: {error}", file, "export it again") from error
    return {key: (name, frozenset(privileges)) for key, (name, privileges) in held.items()}


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell


def _bare(cell: str) -> str:
    is_guarded = cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA)
    return cell[1:] if is_guarded else cell


def _refused(message: str, file: str, remedy: str) -> InvalidInput:
    return InvalidInput(Diagnostic("bad-sheet", message, file, remedy))
