"""Where the project file is, for whoever stands in a folder below it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from provisioner.desired.files import git_top
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_NAME: Final = "provisioner.yaml"


def find_project_file() -> str | None:
    """Return the path of the nearest project file, from here upwards; None where there is none.

    The search ends at git's top level; outside of git, at the home folder, and in a folder that
    does not lie below that, at once. It never leaves a mounted file system.

    Raises:
        InvalidInput: The nearest one lies above, and it or its folder belongs to somebody else.
            Who may write into a folder above would else decide what a run does (git refuses
            repositories of others for the same reason: git-config(1), safe.directory).
    """
    for steps, folder in enumerate(_upwards(Path.cwd())):
        file = folder / FILE_NAME
        if os.path.lexists(file):
            shown = "../" * steps + FILE_NAME
            if steps:
                _require_ours((file, folder), shown)
            return shown
    return None


def _upwards(here: Path) -> Iterator[Path]:
    yield here
    last = Path(git_top(here) or os.path.realpath(Path.home()))
    if last in here.parents:
        device = here.stat().st_dev
        for folder in here.parents:
            if folder.stat().st_dev != device:
                return
            yield folder
            if folder == last:
                return


def _require_ours(found: tuple[Path, Path], shown: str) -> None:
    ours = {os.geteuid()}
    sudo = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and sudo.isascii() and sudo.isdigit():
        ours.add(int(sudo))
    if any(path.lstat().st_uid not in ours for path in found):
        message = "this project file, or the folder that it lies in, belongs to another user"
        remedy = f"if it is to be trusted, name it: --config {shlex.quote(shown)}"
        raise InvalidInput(Diagnostic("project-of-another", message, shown, remedy))
