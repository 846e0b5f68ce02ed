"""Tables for people."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from provisioner.render.style import Style, safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table_text(columns: Sequence[str], rows: Iterable[Sequence[str]], style: Style) -> str:
    """Rows under their headings. Cells are wrapped where the width asks for it, never cut."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    stream = StringIO()
    console = Console(
        file=stream,
        width=style.width,
        force_terminal=style.color,
        no_color=not style.color,
        color_system="standard" if style.color else None,
        legacy_windows=False,
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
