"""One run of a command: everything that its common options say, read once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from msgspec import Struct, field

from provisioner.cli.files import Outlet
from provisioner.cli.output import Output
from provisioner.reports.formats import Format
from provisioner.reports.report import Report


class Invocation(Struct, frozen=True):
    """How a run talks, what it leaves in files, and where its project and its target are.

    ``reports`` are the types of which its report will be one. ``trust`` is the file that says which
    targets may be reached. ``given`` are the parameters that stand on the command line itself, each
    with its spelling there.
    """

    command: str = ""
    reports: tuple[type[Report], ...] = ()
    output: Output = Output()
    files: tuple[tuple[Format, Outlet], ...] = ()
    config: str | None = None
    target: str | None = None
    trust: str | None = None
    insecure_http: bool = False
    given: Mapping[str, str] = field(default_factory=dict)

    def pasted(self, *words: str) -> str:
        """A command about the same project and target, as it can be pasted into a shell."""
        line = ["provisioner", *words]
        for name, value in (("--config", self.config), ("--target", self.target)):
            line += [name, value] if value is not None else []
        line += ["--insecure-http"] * self.insecure_http
        line += ["--trust", self.trust] if self.trust is not None else []
        return shlex.join(line)
