"""``init``: start a project in this folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.cli.declaring import command
from provisioner.cli.files import write_new_file
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.project.search import FILE_NAME
from provisioner.reports.products import InitReport

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation

_PROJECT = """\
version: 1

# Files and folders with the wanted roles; every *.yaml below a folder is read.
sources: [roles/]

# all: custom roles and users that are not listed are removed. declared: they are left alone.
manage: all

# Roles that are left alone, as globs:
# ignore: ["Legacy *"]

# Named panels. Without any, the state is a file: .provisioner/state.json
# targets:
#   sandbox: {backend: file, path: state/sandbox.json}
"""

_ROLES = """\
version: 1

roles:
  Account Viewer:
    description: Looks up customer accounts
    privileges:
      - ACCOUNTS_VIEW_DET

# Without `users:` assignments are not managed. With it, nobody holds more than is listed.
# users:
#   ada@example.com:
#     roles: [Account Viewer]
"""


@command("init", InitReport)
def init(_: Invocation) -> InitReport:
    """Write a project file and a first role into this folder. Existing files stay as they are."""
    if os.path.lexists(FILE_NAME):
        message = "there is a project in this folder already"
        raise InvalidInput(Diagnostic("project-exists", message, FILE_NAME, "edit the file"))
    folder = Path("roles")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        what = f"can't make the folder: {error.strerror}"
        raise InvalidInput(Diagnostic("unwritable", what, str(folder))) from error
    first = folder / "roles.yaml"
    wanted = {} if any(folder.rglob("*.y*ml")) else {str(first): _ROLES}
    written: list[str] = []
    for path, content in (wanted | {FILE_NAME: _PROJECT}).items():
        try:
            write_new_file(path, content.encode())
        except InvalidInput as error:
            return InitReport(tuple(written), error.diagnostics)
        written.append(path)
    return InitReport(tuple(written))
