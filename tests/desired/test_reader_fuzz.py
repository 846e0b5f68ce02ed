"""No bytes whatever make the reader fail: it reads, or it says where and why it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from provisioner.catalogue import shipped
from provisioner.desired.load import load
from provisioner.desired.surroundings import Surroundings
from provisioner.desired.yaml import reader
from provisioner.errors import InvalidInput
from provisioner.model import Place

if TYPE_CHECKING:
    from pathlib import Path

VALID = b"""\
version: 1
privilege_sets:
  holds: [ACCOUNTS_PUT_ON_*_HOLD]
roles:
  Viewer:
    description: "Looks things up"
    privileges: &view [ARDOCS_VIEW, ACCOUNTS_VIEW_DET]
  Accountant:
    includes: [Viewer]
    sets: [holds]
    privileges:
      - ARDOCS_*
    except: [ARDOCS_REBUILD]
    renamed_from: Clerk
users:
  ada@example.com:
    roles:
      - Accountant
      - {role: Full Access, until: 2099-12-31, reason: 'year-end'}
ignore: ["Legacy *"]
policies:
  - name: memos
    separation_of_duty: [ARDOCS_CREATE, ACCOUNTS_MODIFY_TERMS]
    except: [Full Access]
tests:
  - {role: Accountant, can: [ARDOCS_VIEW]}
"""
# What YAML, Unicode and schemas trip over.
PIECES = [
    *(
        b"\t",
        b"\r",
        b"\n",
        b"\0",
        b"\x85",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xed\xa0\x80",
    ),
    *(
        b"&a ",
        b"*a",
        b"*view",
        b"<<: ",
        b"!!str ",
        b"!",
        b"---\n",
        b"...\n",
        b"? ",
        b"- ",
        b": ",
        b"#",
    ),
    *(b"|\n", b">-\n", b'"', b"'", b"{", b"}", b"[", b"]", b",", b"%YAML 1.1\n", b"@", b"`"),
    *(b"no", b"~", b"null", b"010", b"1e999", b"-.inf", b"9" * 400, b"2026-13-45", b"true", b"*"),
    *(b"NOBODY", b"Full Access", b"Viewer", b"roles:", b"users:", b"version: 1\n", b"{}", b"[]"),
    *(b'"\\ud800"', b'"\\x00"', b'"\\u202e"', b"\xd0\x90", b"  ", b"[" * 40, b"{a: " * 40),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The valid file with some of its bytes replaced, removed, repeated or added to."""
    data = VALID
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 0, 1, 3, 20, 200])))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=3)))
        repeated = data[start:end] * draw(st.integers(0, 2))
        data = data[:start] + draw(st.sampled_from([piece, repeated])) + data[end:]
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for the files; each example writes over the last."""
    return tmp_path_factory.mktemp("fuzz")


def problems_of(data: bytes, folder: Path) -> tuple[InvalidInput | None, int]:
    """What loading a file with these bytes objects to, and how many lines it has."""
    path = folder / "f.yaml"
    path.write_bytes(data)
    lines = len(data.decode("utf-8", "replace").splitlines()) + 1
    try:
        load([str(path)], Surroundings(shipped()))
    except InvalidInput as error:
        return error, lines
    return None, lines


def assert_sound(error: InvalidInput | None, lines: int, path: str) -> None:
    """Every objection has an id, words, and a place within the file."""
    for found in error.diagnostics if error else ():
        assert found.id
        assert found.message
        assert isinstance(found.place, Place)
        assert found.place.file == path
        assert 1 <= found.place.line <= lines
        assert found.place.column >= 1


BYTES = st.binary(max_size=60)
YAML_LIKE = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


@settings(max_examples=1500, deadline=None)
@given(st.one_of(BYTES, YAML_LIKE))
@example(b"\xff")
@example(b"\xf0\x9f")
@example(b"%TAG")
@example(b"\x00\x00\xfe\xff\x00\x00\x00a")
def test_any_bytes_give_a_document(data: bytes) -> None:
    """Never an exception; what is wrong has a place and words."""
    for found in reader.read(data, "f.yaml").diagnostics:
        assert isinstance(found.place, Place)
        assert found.message


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=mutated())
def test_damaged_sources_load_or_are_refused(data: bytes, folder: Path) -> None:
    """From the bytes to the desired state: every objection has a place inside the file."""
    error, lines = problems_of(data, folder)
    assert_sound(error, lines, str(folder / "f.yaml"))


def test_the_undamaged_file_loads(folder: Path) -> None:
    """Otherwise the mutations would prove little."""
    error, _ = problems_of(VALID, folder)
    assert error is None


def test_a_file_cut_off_anywhere_loads_or_is_refused(folder: Path) -> None:
    """At every byte of it."""
    for size in range(len(VALID)):
        error, lines = problems_of(VALID[:size], folder)
        assert_sound(error, lines, str(folder / "f.yaml"))
