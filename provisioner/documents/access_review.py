"""The CSV form of access reviews: safe to open in a spreadsheet, and read back to the same names.

What a cell holds is written by ``printable.cell`` and read by ``printable.uncell``.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.printable import cell, uncell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioner.engine.access.review import Holdings


def sheet_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under their headings, as RFC 4180 has it, but with plain line feeds."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(text) for text in row] for row in rows)
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
            name = uncell(name)
            key = name.casefold() if subject == "user" else name
            held.setdefault(key, (name, set()))[1].add(uncell(privilege))
    except UnicodeDecodeError as error:
        raise _refused("it is not in UTF-8", file, "export it again") from error
    except csv.Error as error:
        raise _refused(f"it is no CSV: {error}", file, "export it again") from error
    return {key: (name, frozenset(privileges)) for key, (name, privileges) in held.items()}


def _refused(message: str, file: str, remedy: str) -> InvalidInput:
    return InvalidInput(Diagnostic("bad-sheet", message, file, remedy))
