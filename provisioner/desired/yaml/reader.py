"""Strict YAML with places: bytes to a document of plain values, and where each of them stands.

Most files hold nothing odd, and nobody asks where anything in them stands: these are read to
plain values only (``values``). The rest is read exactly (``marked``), and so is what a place is
asked for in (``places``). Nothing here knows what the values mean.

What is refused, always with file, line and column: a wrong encoding, a byte order mark, control
characters, duplicate keys, keys that are not text, tags, a second document, anchors that recurse or
multiply beyond reason, nesting deeper than ``MAX_DEPTH``, and what versions of YAML read
differently (see ``scalars`` and ``indicators``).
"""

from __future__ import annotations

import re
from hashlib import sha256

from provisioner import strict_json
from provisioner.desired.yaml import values
from provisioner.desired.yaml.document import Document
from provisioner.desired.yaml.places import Places
from provisioner.diagnostics import Diagnostic
from provisioner.model import Place

_ASCII_CONTROL = bytes(code for code in (*range(32), 127) if code not in b"\t\n\r")
_PAIR = rb"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
_CONTROL = "[\u2028\u2029\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]"


def read(data: bytes, file: str) -> Document:
    """Read one YAML document. Never raises for what the bytes hold: see ``diagnostics``."""
    digest = sha256(data).hexdigest()
    if problem := _encoding_problem(data, file):
        return Document(file, None, [problem], is_whole=False, digest=digest)
    data = _whole_characters(data)
    if found := values.read(data):
        return Document(file, found.root, digest=digest, places=Places.of(found, data, file))
    from provisioner.desired.yaml import marked

    exact = marked.read(data, file)
    places = Places(file, exact.root)
    return Document(file, exact.root, exact.diagnostics, exact.is_whole, digest, places=places)


def _encoding_problem(data: bytes, file: str) -> Diagnostic | None:
    marks = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\xef\xbb\xbf": "a byte order mark"}
    for start, name in marks.items():
        if data.startswith(start):
            what = f"the file starts with {name}" if "mark" in name else f"the file is {name}"
            place, remedy = Place(file, 1, 1), "save it as UTF-8 without a byte order mark"
            return Diagnostic("wrong-encoding", what, place, remedy)
    if data.isascii() and len(data.translate(None, _ASCII_CONTROL)) == len(data):
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        what = f"byte 0x{data[error.start]:02x} is not UTF-8"
        return Diagnostic("wrong-encoding", what, _place_at_end(good, file), "save it as UTF-8")
    if control := re.search(_CONTROL, text):
        what = f"the control character U+{ord(control[0]):04X} is not allowed"
        place = _place_at_end(text[: control.start()], file)
        return Diagnostic("control-character", what, place, "remove it")
    return None


def _whole_characters(data: bytes) -> bytes:
    """JSON writes a character beyond U+FFFF as two escapes, which YAML takes for two characters."""
    if b"\\" not in data or not re.search(_PAIR, data) or not strict_json.is_json(data):
        return data
    return re.sub(_PAIR, _joined, data)


def _joined(pair: re.Match[bytes]) -> bytes:
    high, low = int(pair[2], 16), int(pair[3], 16)
    return pair[1] + b"\\U%08x" % (0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00)


def _place_at_end(text: str, file: str) -> Place:
    start = text.rfind("\n") + 1
    return Place(file, text.count("\n") + 1, len(text) - start + 1)
