"""What a target must not be told by: its secrets, taken out of whatever a server says.

A server may repeat what it was sent anywhere: in an error's text, escaped as JSON or as an address,
in a header, in a member's name. What refuses is cleaned as it comes in. What goes on (states,
names) must stay as it is, so messages are cleaned as they go out; before anything cuts them, for
half a secret is one.
"""

from __future__ import annotations

import json
import re
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, cast
from urllib.parse import quote, quote_plus, unquote, urlsplit

from provisioner.errors import ProvisionerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioner.backends.http.transport.settings import HttpSettings

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_MASK: Final = "***"
_LOGINS: Final = frozenset({"Authorization", "proxy-authorization"})
# In a server's own words short secrets are taken out as well; in whole messages they would be found
# in names and addresses that everybody may see.
_SHORTEST_SAID: Final = 4
_SHORTEST: Final = 8


class Redaction:
    """Knows the secrets of one target. Any number of threads may use it."""

    def __init__(self, settings: HttpSettings) -> None:
        self._forms: dict[str, re.Pattern[str]] = {}
        for each in (settings.token, settings.password):
            if each is not None:
                self.learn(each.reveal())
        if settings.proxy is not None:
            self.learn(unquote(urlsplit(settings.proxy.reveal()).password or ""))

    def learn(self, secret: str) -> None:
        """Keep one more secret, such as a token that a login gave."""
        if len(secret) >= _SHORTEST_SAID and secret not in self._forms:
            self._forms[secret] = _forms(secret)

    def learn_sent(self, headers: Mapping[str, str]) -> None:
        """Keep what the headers of a request log in with."""
        for name in _LOGINS & headers.keys():
            self.learn(headers[name].partition(" ")[2])

    def cleaned(self, said: Any) -> Any:
        """Return what a server said, JSON or text, without secrets."""
        if isinstance(said, str):
            return self._masked(said, _SHORTEST_SAID)
        if isinstance(said, list):
            return [self.cleaned(item) for item in said]
        if isinstance(said, dict):
            return {self.cleaned(name): self.cleaned(value) for name, value in said.items()}
        return said

    def message(self, text: str) -> str:
        """Return a message of our own, which may quote a server, without secrets."""
        return self._masked(text, _SHORTEST)

    def _masked(self, text: str, shortest: int) -> str:
        # A copy: others may learn meanwhile.
        for secret, forms in tuple(self._forms.items()):
            if len(secret) >= shortest:
                text = forms.sub(_MASK, text)
        return text


class _Redacting(Protocol):
    @property
    def redaction(self) -> Redaction: ...


_Self = TypeVar("_Self", bound=_Redacting)


def redacted(
    method: Callable[Concatenate[_Self, _Given], _Result],
) -> Callable[Concatenate[_Self, _Given], _Result]:
    """Make the errors that come out of a method tell no secrets."""

    @wraps(method)
    def called(self: _Self, /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        try:
            return method(self, *args, **kwargs)
        except ProvisionerError as error:
            cleaned = error.with_messages(self.redaction.message)
            if cleaned.diagnostics == error.diagnostics:
                raise
        # Outside, so that the chain of errors does not tell it either.
        raise cleaned

    return cast("Callable[Concatenate[_Self, _Given], _Result]", called)


def _forms(secret: str) -> re.Pattern[str]:
    """How a secret looks where it is repeated, the longest first; a header may change its case."""
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], secret}
    # PHP escapes slashes.
    slashed = {form.replace("/", "\\/") for form in escaped}
    quoted = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    forms = sorted({*escaped, *slashed, *quoted}, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, forms)), re.IGNORECASE)
