"""A folder, a command line and a terminal, as a user has them: real files, real processes."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import termios
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provisioner import schemas
from provisioner.reports.text.style import safe
from tests.cli.gated import begun, commits, file_store, objects  # noqa: F401 - fixtures
from tests.server.conftest import proxy  # noqa: F401 - a fixture of theirs
from tests.waiting import PATIENCE, is_readable, rests, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROVISIONER = Path(sys.executable).with_name("provisioner")
EXAMPLES = Path(__file__).parents[2] / "examples"

# Takes a state's lock, says so, and keeps it until its standard input ends.
HOLDER = """\
import sys
from pathlib import Path
from provisioner.backends.file import FileBackend
from provisioner.model import State
with FileBackend(Path(sys.argv[1]), State()).lock("apply", 0):
    print("held", flush=True)
    sys.stdin.read()
"""

# Wrappers instead of preexec_fn, which is not safe in a test process that has threads.
WITH_LARGEST_FILE = """\
import os, resource, sys
size = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
os.execv(sys.argv[2], sys.argv[2:])
"""
# The first terminal that the leader of a session opens becomes the one that Ctrl-C comes from.
WITH_TERMINAL = """\
import os, sys
os.open(os.ttyname(0), os.O_RDWR)
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that standard output is."""
        return json.loads(self.out)

    @property
    def last_line(self) -> str:
        """The last line of standard output."""
        return self.out.splitlines()[-1]


@dataclass(frozen=True)
class Refusal:
    """One error of a refused command, as JSON lists it."""

    id: str
    message: str
    place: str
    remedy: str

    @classmethod
    def of(cls, item: dict[str, Any]) -> Refusal:
        """Read an item of ``errors``."""
        at = item["place"] or {}
        place = ":".join(str(at[step]) for step in ("file", "line", "column") if step in at)
        return cls(item["id"], item["message"], place, item["remedy"] or "")

    @property
    def text(self) -> str:
        """The same as text output writes it."""
        first = f"{self.place}: error: {self.message}" if self.place else f"error: {self.message}"
        return safe(first) + (f"\n    {safe(self.remedy)}" if self.remedy else "")


class Shell:
    """A folder of one's own, and the command line in it."""

    program = PROVISIONER

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        *words: str,
        stdin: str | bytes | None = None,
        env: Mapping[str, str] | None = None,
        before: tuple[str, ...] = (),
        largest_file: int | None = None,
    ) -> Answer:
        """Run ``provisioner`` with these words; ``before`` goes in front of the command.

        ``largest_file`` limits, in bytes, the size of every file that it writes.
        """
        if largest_file is not None:
            before = (sys.executable, "-c", WITH_LARGEST_FILE, str(largest_file))
        done = subprocess.run(
            [*before, PROVISIONER, *words],
            cwd=self.folder,
            env=self.environment(env),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    def errors(self, *words: str, code: int = 1, **settings: Any) -> list[Refusal]:
        """Run it for programs: refused, with nothing written. Returns the errors in their order."""
        before = self.files()
        answer = self(*words, "--format", "json", **settings)
        assert answer.code == code
        assert self.files() == before
        assert not answer.err
        assert schemas.valid("results", answer.document)
        errors = [Refusal.of(item) for item in answer.document["errors"]]
        assert errors
        assert "internal-error" not in {error.id for error in errors}
        return errors

    def refused(self, *words: str, code: int = 1, **settings: Any) -> list[Refusal]:
        """The same, and for people: text says what JSON says, word for word."""
        before = self.files()
        answer = self(*words, **settings)
        assert answer.code == code
        assert self.files() == before
        assert "Traceback" not in answer.err
        errors = self.errors(*words, code=code, **settings)
        count = [f"{len(errors)} errors; nothing was changed"] if len(errors) > 1 else []
        told = "\n".join([*(error.text for error in errors), *count])
        assert answer.err == f"{told}\n"
        return errors

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """An environment in which nothing is set that the program looks at."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            **(more or {}),
        }

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands in a file."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def files(self) -> dict[str, bytes]:
        """Every file below the folder with its bytes; empty lock files do not count."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and not (
                path.name.endswith((".lock", ".commit")) and not path.read_bytes()
            ):
                found[str(path.relative_to(self.folder))] = path.read_bytes()
        return found

    def state(self, path: str = ".provisioner/state.json") -> Any:
        """The state file's content."""
        return json.loads((self.folder / path).read_text())

    def role(self, name: str) -> Any:
        """One stored role, or None."""
        return next((role for role in self.state()["roles"] if role["name"] == name), None)

    def holds(self, user: str) -> list[str]:
        """The roles that a user holds by the state file."""
        users = {item["user"]: item["roles"] for item in self.state()["users"]}
        roles: list[str] = users.get(user, [])
        return roles

    @contextmanager
    def lock_held(self, path: str = ".provisioner/state.json") -> Iterator[subprocess.Popen[str]]:
        """Another process that holds the lock of a state file; killed at the end at the latest."""
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, path],
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with holder:
            try:
                assert holder.stdout is not None
                assert holder.stdout.readline() == "held\n"
                yield holder
            finally:
                holder.kill()

    def on_a_terminal(
        self, *words: str, keys: str = "", after: str = "", env: Mapping[str, str] | None = None
    ) -> Answer:
        """Run it on a terminal of 80 columns, and press ``keys`` once ``after`` shows.

        Everything that appeared is ``out``.
        """
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        process = subprocess.Popen(
            [sys.executable, "-c", WITH_TERMINAL, PROVISIONER, *words],
            cwd=self.folder,
            env={**self.environment(env), "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        with process:
            try:
                shown = b""
                if keys:
                    shown = _read(ours, after)
                    # People are slower than the way from showing a question to waiting for keys;
                    # Python loses a Ctrl-C that comes in between.
                    until(lambda: rests(process.pid))
                    os.write(ours, keys.encode())
                shown += _read(ours, None)
                code = process.wait(PATIENCE)
            finally:
                process.kill()
                os.close(ours)
        return Answer(code, shown.decode(), "")


def _read(terminal: int, until: str | None) -> bytes:
    """What a terminal shows until a text appears, or until its last process is gone."""
    shown = b""
    deadline = time.monotonic() + PATIENCE
    with suppress(OSError):  # Linux's way of saying that nobody is at the other end any more
        while until is None or until.encode() not in shown:
            ready = is_readable(terminal, deadline - time.monotonic())
            assert ready, f"still waiting after {PATIENCE} s; so far:\n{shown.decode()}"
            shown += os.read(terminal, 65536)
    return shown


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An empty folder, and the command line in it."""
    return Shell(tmp_path)


@pytest.fixture
def panel(shell: Shell) -> Shell:
    """A folder and the command line in it, with the adapter of ``tests/cli/panel.py`` installed."""

    class WithPanel(Shell):
        def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
            installed = {
                "PYTHONPATH": str(self.folder / "installed"),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            return {**super().environment(more), **installed}

    shell.write("installed/panel.py", Path(__file__).with_name("panel.py").read_text())
    about = "installed/panel-1.0.dist-info"
    shell.write(f"{about}/METADATA", "Metadata-Version: 2.1\nName: panel\nVersion: 1.0\n")
    points = "[provisioner.backends]\npanel = panel:open_panel\n"
    shell.write(f"{about}/entry_points.txt", points)
    return WithPanel(shell.folder)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples, the first of them applied, the second planned; made once."""
    shell = Shell(tmp_path_factory.mktemp("prepared"))
    shutil.copytree(EXAMPLES, shell.folder / "examples")
    assert shell("apply", "-q", "--auto-approve", "examples/roles.yaml").code == 0
    assert shell("plan", "examples/second-run/roles.yaml", "--out", "plan.json").code == 0
    return shell.folder


@pytest.fixture
def planned(shell: Shell, prepared: Path) -> Shell:
    """A folder where the first example was applied, and a plan of the second was saved."""
    shutil.copytree(prepared, shell.folder, dirs_exist_ok=True)
    return shell


@pytest.fixture
def first_run(planned: Shell) -> Shell:
    """A folder where the first example was applied."""
    (planned.folder / "plan.json").unlink()
    return planned


@pytest.fixture
def without_privilege() -> tuple[str, ...]:
    """What goes before a command so that file modes hold for it, even where the tests are root."""
    if os.getuid():
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root ignores file modes, and there is no setpriv to change that")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
