"""Where things stand in a file that was read to plain values: it is read once more, exactly.

Not as a whole, where that can be avoided: ``values`` keeps the marks of the declarations (what
stands right below a key of the root), so that one declaration can be read by its own lines. What
comes out must be what stands in the document; where it is not (in a file that is one large
``{...}``, say) the whole file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.desired.yaml import marked
from provisioner.desired.yaml.marked import MarkedMapping, MarkedSequence, place_of
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
        self._data = b""
        self._values: Values | None = None
        self._order: dict[str, dict[str, int]] = {}
        self._declarations: dict[Path, Any] = {}

    @classmethod
    def of(cls, values: Values, data: bytes, file: str) -> Places:
        """Of plain values, and the text that they were read from."""
        places = cls(file, None)
        places._values, places._data = values, data
        return places

    def marked(self) -> Any:
        """The same values, but such as know their places."""
        if self._values is not None:
            self._marked = marked.read(self._data, self._file).root
            self._values, self._data, self._declarations = None, b"", {}
        return self._marked

    def find(self, path: Path, *, key: bool) -> Place:
        """Where the value at the path stands; with ``key``, where its key stands.

        A path that ends early stands where it ends.
        """
        found = self._declared(path, self._values, key=key) if self._values else None
        return found or self._walk(self.marked(), path, Place(self._file, 1, 1), key=key)

    def _declared(self, path: Path, values: Values, *, key: bool) -> Place | None:
        """The same without reading the whole file, if that can be done."""
        match path:
            case (str(section), int(number)) if number < len(values.marks.get(section, ())) - 1:
                return place_of(self._file, values.marks[section][number])
            case (str(section), str(name), *_) if section in values.marks:
                index = self._index(section, name, values)
            case _:
                return None
        if index is None:
            return None
        start = values.marks[section][index]
        place = place_of(self._file, start)
        if key and len(path) == 2:
            return place
        if path[:2] not in self._declarations:
            self._declarations[path[:2]] = self._read(section, index, values)
        root = self._declarations[path[:2]]
        if root != {name: values.root[section][name]}:
            return None
        return self._walk(root, path[1:], place, key=key, above=start.line)

    def _index(self, section: str, name: str, values: Values) -> int | None:
        """The how manieth declaration of its section that is; None: there is none of that name."""
        if section not in self._order:
            declared = values.root[section]
            names = declared if isinstance(declared, dict) else ()
            self._order[section] = {name: index for index, name in enumerate(names)}
        return self._order[section].get(name)

    def _read(self, section: str, index: int, values: Values) -> Any:
        """One declaration, by the lines from its own to the next one's."""
        start, end = (mark.index - mark.column for mark in values.marks[section][index : index + 2])
        # Marks count characters.
        text = self._data if self._data.isascii() else self._data.decode()
        lines = text[start:end]
        return marked.read(lines if isinstance(lines, bytes) else lines.encode(), self._file).root

    def _walk(self, root: Any, path: Path, start: Place, *, key: bool, above: int = 0) -> Place:
        """Follow the path; ``above`` is how many lines of the file stand above what was read."""
        mark: Any = None
        node = root
        for step in path:
            if isinstance(node, MarkedMapping) and step in node.marks:
                mark = node.marks[str(step)][0 if key else 1]
            elif isinstance(node, MarkedSequence) and isinstance(step, int):
                mark = node.marks[step]
            else:
                break
            node = node[step]
        return start if mark is None else place_of(self._file, mark, above)
