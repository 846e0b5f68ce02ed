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

    shown = [[safe(cell) for cell in row] for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        # Names come first, and shall be found by a search: they are kept whole where they fit.
        longest = max((len(row[index]) for row in shown), default=0)
        keep_whole = index == 0 and longest <= style.width // 2
        table.add_column(column, overflow="fold", no_wrap=keep_whole)
    for row in shown:
        table.add_row(*map(Text, row))
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
