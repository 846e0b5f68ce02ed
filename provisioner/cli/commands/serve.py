"""``serve``: run the reference gateway."""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from provisioner import catalogue as catalogues
from provisioner.cli import options, output, streams
from provisioner.cli.declaring import command
from provisioner.diagnostics import Diagnostic
from provisioner.documents.gateway.shapes import valid
from provisioner.errors import InvalidInput
from provisioner.printable import shown
from provisioner.project.reading import load_catalogue
from provisioner.project.settings import Project
from provisioner.reports.products import Product

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation
    from provisioner.cli.output import Output
    from provisioner.model import Catalogue
    from provisioner.server.http.tokens import Tokens

DATABASE: Final = ".provisioner/gateway.sqlite"
TOKEN: Final = "PROVISIONER_SERVE_TOKEN"  # noqa: S105 - where it is, not what it is
LOGIN: Final = "PROVISIONER_SERVE_LOGIN"
_EXTRA: Final = frozenset({"alembic", "sqlalchemy", "starlette", "uvicorn"})


@command("serve", Product)
@options.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Default: 127.0.0.1.")
@options.option(
    "--port", type=click.IntRange(0, 65535), default=8080, help="Default: 8080; 0: a free one."
)
@options.option(
    "--database",
    default=DATABASE,
    metavar="FILE-or-URL",
    help=f"A SQLite file, or postgresql://... Default: {DATABASE}.",
)
@options.option("--tokens", metavar="FILE", help="The tokens, one hash per line.")
@options.option("--panel", metavar="ID", help="The panel's id. Default: sandbox.")
@options.option("--catalogue", metavar="FILE", help="The panel's catalogue. Default: the shipped.")
@options.option("--tls-cert", metavar="FILE", help="Serve HTTPS with this certificate chain (PEM).")
@options.option("--tls-key", metavar="FILE", help="The certificate's key, if it is not with it.")
@options.option("--new-token", metavar="LOGIN", help="Add a token to --tokens, print it, and end.")
@options.option("--read-only", is_flag=True, help="With --new-token: one that may only read.")
def serve(  # noqa: PLR0913 - one for each option
    run: Invocation,
    *,
    host: str,
    port: int,
    database: str,
    tokens: str | None,
    panel: str | None,
    catalogue: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    new_token: str | None,
    read_only: bool,
) -> Product:
    """Serve a panel's roles over HTTP, from a database, by the contract in docs/gateway.md.

    Tokens come from --tokens, or one that may write from PROVISIONER_SERVE_TOKEN (its login from
    PROVISIONER_SERVE_LOGIN). Ctrl-C, SIGTERM or SIGHUP stops it, after the requests in flight.
    """
    if new_token is not None:
        return _make_token(tokens, new_token, may_write=not read_only)
    if read_only:
        raise click.UsageError("--read-only goes with --new-token")
    if tls_key and not tls_cert:
        raise click.UsageError("--tls-key goes with --tls-cert")
    _require_sound_id(panel)
    try:
        from provisioner.server.app import create_app
        from provisioner.server.http import listening
        from provisioner.server.settings import Settings
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        what = f"the server needs what is not installed: {error.name}"
        remedy = "install it with its extra `server`: pip install '.[server]' in its folder"
        raise InvalidInput(Diagnostic("extra-missing", what, None, remedy)) from error
    given = _tokens(tokens), _catalogue(catalogue)
    _set_up_logging(run.output)
    # The command line does without; a process that stays must not.
    gc.enable()
    address = listening.Address(host, port, tls_cert, tls_key)
    # Who doesn't read the log must not be able to hold up those who ask.
    with streams.without_waiting(), listening.bound(address) as bound:
        url = listening.url_of(bound, tls=tls_cert is not None)
        app = create_app(Settings(database, *given, panel))
        gateway = app.state.gateway
        if not tls_cert and not _is_loopback(host):
            what = f"tokens travel unencrypted to {host}"
            remedy = "use --tls-cert, or listen on 127.0.0.1 behind a proxy that speaks HTTPS"
            run.output.warn([Diagnostic("no-tls", what, None, remedy, "warning")])

        def announce() -> None:
            where = f"panel {gateway.panel}, {gateway.database.shown}"
            output.line(f"provisioner serve: {url} ({where})")

        listening.serve(app, bound, address, announce)
    streams.hurry()
    return Product()


def _require_sound_id(panel: str | None) -> None:
    if panel is not None and not valid("PanelId", panel):
        what = f"`{panel}` can't be a panel's id"
        remedy = "use up to 64 letters, digits, dots, underscores, tildes and hyphens"
        raise InvalidInput(Diagnostic("panel-id", what, None, remedy))


def _make_token(file: str | None, login: str, *, may_write: bool) -> Product:
    from provisioner.server.http.tokens import append_token

    if file is None:
        raise click.UsageError("--new-token needs --tokens FILE, where its hash is kept")
    token = append_token(Path(file), login, may_write=may_write)
    output.line(token)
    if streams.OUT.lost is not None:
        what = "the token could not be shown, and is not kept"
        remedy = "take the last line, its hash, out of the file, and make another one"
        raise InvalidInput(Diagnostic("token-not-shown", what, file, remedy))
    note = f"Its hash is in {file}. The token itself is not kept: this is the only time."
    return Product(notes=(note,))


def _tokens(file: str | None) -> Tokens:
    from provisioner.server.http.tokens import Tokens

    given = os.environ.get(TOKEN) or None
    tokens = Tokens(Path(file) if file else None, given, os.environ.get(LOGIN) or None)
    if not len(tokens):
        what = "nobody could ask: there is no token"
        remedy = (
            "make one with `provisioner serve --tokens FILE --new-token LOGIN`, then serve with "
            f"`--tokens FILE`; or set {TOKEN}"
        )
        raise InvalidInput(Diagnostic("no-token", what, file, remedy))
    return tokens


def _catalogue(file: str | None) -> Catalogue:
    project = Project(catalogue=file)
    return load_catalogue(project, project.target(None)) or catalogues.shipped()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _LogFormat(logging.Formatter):
    """Messages on one line, tracebacks below; nobody obeys either."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = shown(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return output.printed(super().format(record), sys.stderr)


def _set_up_logging(to: Output) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LogFormat("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if to.verbose else logging.WARNING)
    ours = logging.WARNING if to.quiet else logging.INFO
    logging.getLogger("provisioner").setLevel(ours)
