"""Replies of a gateway, held against the contract: what is not as agreed is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from provisioner.backends.http.transport.refusals import require_whole
from provisioner.diagnostics import Diagnostic
from provisioner.documents.gateway import shapes
from provisioner.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioner.backends.http.transport.messages import Reply

MAJOR: Final = "1"
_ANSWERS: Final = frozenset({200, 201})


def document_in(
    reply: Reply, shape: str, what: str, *, panel: str | None, cleaned: Callable[[str], str]
) -> Any:
    """Return the body of a good reply, once it is what the contract says.

    ``what`` completes "could not ..."; ``panel`` is the one that it must be about, None for any;
    ``cleaned`` takes the secrets out of a text that quotes the body.

    Raises:
        BackendError: It is a refusal, another panel's, or not as agreed.
    """
    require_whole(reply, what, allowed=_ANSWERS)
    document = reply.body
    if isinstance(document, dict) and "contract" in document:
        _require_ours(reply, document, panel)
    if not shapes.valid(shape, document):
        for found in shapes.violations(shape, document):
            why = cleaned(found.message)[:200]
            not_as_agreed(reply, found.json_path.removeprefix("$."), why)
        not_as_agreed(reply, "the body", "some text in it has no JSON form")
    return document


def _require_ours(reply: Reply, document: Mapping[str, Any], wanted: str | None) -> None:
    contract, panel = document["contract"], document.get("panel")
    if not (isinstance(contract, str) and contract.partition(".")[0] == MAJOR):
        why = f"the gateway speaks version {contract!r}; this provisioner speaks {MAJOR}.x"
        not_as_agreed(reply, "contract", why)
    if wanted is not None and panel != wanted:
        why = f"this is the panel `{panel}`; the project file says `{wanted}`"
        remedy = "correct `url` or `panel` in the project file"
        raise BackendError(Diagnostic("other-panel", f"{reply.url}: {why}", None, remedy))


def etag_in(reply: Reply) -> str:
    """Return the ETag, which writes can be bound to.

    Raises:
        BackendError: There is none, or a weak one.
    """
    etag = reply.headers.get("ETag")
    if not etag:
        not_as_agreed(reply, "header ETag", "it is missing, so no change could be noticed")
    if etag.startswith("W/"):
        not_as_agreed(reply, "header ETag", f"{etag} is weak, so no write can be bound to it")
    return str(etag)


def not_as_agreed(reply: Reply, field: str, why: str) -> NoReturn:
    """Raise the error for a reply that the contract does not allow."""
    message = f"{reply.url}: {field}: {why}"
    remedy = "the reply is not what the gateway contract says; nothing was concluded from it"
    raise BackendError(Diagnostic("bad-reply", message, None, remedy))
