"""Where things stand in a file that was read to plain values: it is read once more, exactly.

Not as a whole, where that can be avoided: ``values`` keeps the marks of the declarations (what
stands right below a key of the root), so that one declaration can be read by its own lines. What
comes out must be what stands in the document; where it is not (in a file that is one large
``{...}``, say) the whole file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.model import Place

if TYPE_CHECKING:
    from provisioner.desired.yaml.values import Values

Path = tuple[str | int, ...]


class Places:
    """Answers where the values of one file stand."""

    def __init__(self, file: str, root: Any) -> None:
        """Of values that know their places already."""
        self._file = file
        self._marked = root
        self._text: str | bytes = b""
        self._values: Values | None = None
        self._order: dict[str, dict[str | int, int]] = {}
        self._declarations: dict[Path, Any] = {}

    @classmethod
    def of(cls, values: Values, data: bytes, file: str) -> Places:
        """Of plain values, and the text that they were read from."""
        places = cls(file, None)
        places._values, places._text = values, data
        return places

    def marked(self) -> Any:
        """The same values, but such as know their places."""
        if self._values is not None:
            self._marked = self._read(0, None)
            self._values, self._text, self._declarations = None, b"", {}
        return self._marked

    def find(self, path: Path, *, key: bool) -> Place:
        """Where the value at the path stands; with ``key``, where its key stands.

        A path that ends early stands where it ends.
        """
        found = self._declared(path, self._values, key=key) if self._values else None
        return found or self._place(self.marked(), path, key=key)

    def _declared(self, path: Path, values: Values, *, key: bool) -> Place | None:
        """The same without reading the whole file, if that can be done."""
        if len(path) < 2 or path[0] not in values.marks:
            return None
        section, name = str(path[0]), path[1]
        marks, declared = values.marks[section], values.root[section]
        if isinstance(declared, list):
            if len(path) == 2 and isinstance(name, int) and name < len(declared):
                return self._at(marks[name])
            return None
        index = self._index(section, declared).get(name)
        if index is None:
            return None
        start, end = marks[index : index + 2]
        if key and len(path) == 2:
            return self._at(start)
        if path[:2] not in self._declarations:
            # The lines from its own to the next one's. Marks count characters.
            lines = self._read(start.index - start.column, end.index - end.column)
            self._declarations[path[:2]] = lines if lines == {name: declared[name]} else None
        root = self._declarations[path[:2]]
        return root and self._place(root, path[1:], key=key, above=start.line)

    def _index(self, section: str, declared: dict[str, Any]) -> dict[str | int, int]:
        """By its name, the how manieth of a section each declaration is."""
        if section not in self._order:
            self._order[section] = {name: index for index, name in enumerate(declared)}
        return self._order[section]

    def _read(self, start: int, end: int | None) -> Any:
        """Read what stands between two characters of the file."""
        from provisioner.desired.yaml import marked

        if isinstance(self._text, bytes) and not self._text.isascii():
            self._text = self._text.decode()
        text = self._text[start:end]
        return marked.read(text if isinstance(text, bytes) else text.encode(), self._file).root

    def _place(self, root: Any, path: Path, *, key: bool, above: int = 0) -> Place:
        from provisioner.desired.yaml.marked import mark_of

        mark = mark_of(root, path, key=key)
        return Place(self._file, 1, 1) if mark is None else self._at(mark, above)

    def _at(self, mark: Any, above: int = 0) -> Place:
        """The place that a mark means in what stands below so many lines of the file."""
        return Place(self._file, mark.line + 1 + above, mark.column + 1)
