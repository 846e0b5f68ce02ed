"""Requests to one API: repeated where that is safe, until there is an answer or it is too late.

A reply is a whole JSON document or an error; what may have happened on the server although no
answer came is told apart from what certainly did not.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

from msgspec import Struct

from provisioner.backends.http.transport.attempt import Connections
from provisioner.backends.http.transport.backoff import asked_for, backoff
from provisioner.backends.http.transport.messages import SAFE, LostReply, NotSent, Reply
from provisioner.backends.http.transport.receiving import Failed, Raw, on_one_line
from provisioner.backends.http.transport.refusals import refusal
from provisioner.backends.http.transport.send_queue import SendQueue
from provisioner.backends.http.transport.settings import HttpSettings
from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError
from provisioner.trust.addresses import leads_below
from provisioner.version import __version__

if TYPE_CHECKING:
    from provisioner.backends.http.transport.messages import Request
    from provisioner.backends.http.transport.redaction import Redaction

_REFUSED: Final = 429
_PROXY_LOGIN: Final = 407
_FAILING: Final = frozenset({500, 502, 503, 504})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS: Final = 5
MOST_ATTEMPTS: Final = 10
MOST_REFUSALS: Final = 50
MOST_CONNECTS: Final = 4


class Client:
    """Sends requests to the API below ``settings.url``. Any number of threads may use it."""

    def __init__(
        self,
        settings: HttpSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        connections: Connections | None = None,
    ) -> None:
        closed = threading.Event()
        wait = sleep or closed.wait
        queue = SendQueue(settings.concurrency, clock, wait)
        connections = connections or Connections(settings)
        self._means = _Means(settings, connections, clock, wait, closed, queue)

    def url(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> str:
        """Return the address of a resource."""
        asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return f"{self._means.settings.url}{path}{asked}"

    def send(self, request: Request) -> Reply:
        """Send a request; return the reply, whatever its status below 500 (redirects aside).

        Raises:
            NotSent: It was certainly not carried out.
            LostReply: It changes something, and may have been carried out.
            BackendError: There is no usable answer to a question.
        """
        url = self.url(request.path, request.query)
        if _has_dots(request.path):
            message = f"{url}: an address with `.` or `..` in it can't be asked for"
            raise NotSent(Diagnostic("bad-address", message))
        for name, value in request.headers.items():
            if not _is_header(value):
                message = f"{request.method} {url}: the header {name} can't be sent as it is"
                raise NotSent(Diagnostic("bad-header", message))
        if not _may_ask(self._means.settings, url):
            message = f"{request.method} {url}: it lies below no address that the trust file lists"
            raise NotSent(Diagnostic("not-trusted", message))
        return _Sending(self._means, request, url).run()

    @property
    def redaction(self) -> Redaction:
        """What takes the target's secrets out of messages."""
        return self._means.connections.redaction

    def close(self) -> None:
        """Close all connections; who waits to repeat a request gives up."""
        self._means.closed.set()
        self._means.connections.close()


class _Means(Struct, frozen=True):
    """What a client sends requests with.

    ``sleep`` wakes up early once it is ``closed``; ``queue`` says who sends when.
    """

    settings: HttpSettings
    connections: Connections
    clock: Callable[[], float]
    sleep: Callable[[float], object]
    closed: threading.Event
    queue: SendQueue


class _Sending:
    """The attempts of one request.

    ``end`` is when it is too late for another. Waiting for a turn is our own doing, and moves it.
    """

    def __init__(self, means: _Means, request: Request, url: str) -> None:
        self.means, self.request, self.url = means, request, url
        self.settings = means.settings
        self.end = means.clock() + self.settings.total_timeout
        self.body = None if request.body is None else json.dumps(request.body).encode()
        self.may_have_happened = False
        self.attempts = self.connects = self.redirects = self.too_much = 0

    def run(self) -> Reply:
        while True:
            if self.means.closed.is_set():
                self.fail("the client is closed", None)
            self.attempts += 1
            try:
                raw = self.attempt()
            except Failed as failure:
                self.note(failure)
                self.wait_or_fail(str(failure), failure.remedy, None)
                continue
            if raw.status in _REDIRECTS:
                self.redirect(raw)
            elif raw.status == _PROXY_LOGIN:
                remedy = "put them into the proxy's address in the environment"
                self.fail("the proxy wants a user name and password (407)", remedy)
            elif raw.status == _REFUSED:
                self.slow_down(raw)
            elif raw.status in _FAILING:
                self.may_have_happened = True
                if not self.request.may_repeat:
                    self.fail(self.refused(raw), None)
                self.wait_or_fail(self.refused(raw), None, asked_for(raw.headers))
            elif not (200 <= raw.status < 300 or raw.status == 304 or 400 <= raw.status < 500):
                self.may_have_happened = True
                self.fail(self.refused(raw), None)
            else:
                self.means.queue.answered()
                headers, repeated = raw.headers, self.may_have_happened
                return Reply(self.url, raw.status, headers, raw.body, perhaps_repeated=repeated)

    def attempt(self) -> Raw:
        headers = self.headers()
        with self.means.queue.taking() as slot:
            # Who was refused is held back by this answer; the others by what others were told.
            self.end += slot.queued + (0.0 if self.too_much else slot.held_back)
            self.slot = slot
            left = max(self.end - self.means.clock(), 0.0)
            # Sockets know the machine's own clock only, even where a test turns the one above.
            end = time.monotonic() + min(self.settings.reply_timeout, left)
            return self.means.connections.attempt(
                self.request.method, self.url, headers, self.body, end
            )

    def headers(self) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            # A packed reply needs another ETag than the same one unpacked; some servers weaken it.
            "Accept-Encoding": "identity",
            "User-Agent": f"provisioner/{__version__}",
        }
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        if self.request.key is not None:
            headers["Idempotency-Key"] = self.request.key
        if self.settings.token is not None:
            headers["Authorization"] = f"Bearer {self.settings.token.reveal()}"
        return headers | dict(self.request.headers)

    def note(self, failure: Failed) -> None:
        """Decide whether there may be another attempt after a failure."""
        if failure.certainty == "final":
            self.fail(str(failure), failure.remedy)
        if failure.certainty == "not-sent":
            self.connects += 1
            if self.connects >= MOST_CONNECTS:
                self.fail(str(failure), failure.remedy)
            return
        self.may_have_happened = True
        if failure.certainty == "lost-for-good" or not self.request.may_repeat:
            self.fail(str(failure), failure.remedy)

    def wait_or_fail(self, why: str, remedy: str | None, asked: float | None) -> None:
        wait = backoff(self.attempts) if asked is None else asked + backoff(1)
        self.require_time(wait, why, remedy, asked, again=self.attempts < MOST_ATTEMPTS)
        self.means.sleep(wait)

    def require_time(
        self, wait: float, why: str, remedy: str | None, asked: float | None, *, again: bool
    ) -> None:
        """Fail if there may not be another attempt, or not after that wait."""
        left = self.end - self.means.clock()
        if asked is not None and wait >= left:
            why += f"; it asks to wait {asked:.0f} s, longer than `total_timeout` leaves"
        if wait >= left or not again or self.means.closed.is_set():
            self.fail(why, remedy)

    def slow_down(self, raw: Raw) -> None:
        """Try again after a 429, later and with less at a time: as long as there is time for it."""
        asked = asked_for(raw.headers)
        self.too_much += 1
        wait = backoff(self.too_much) if asked is None else asked + backoff(1)
        again = self.too_much < MOST_REFUSALS
        self.require_time(wait, self.refused(raw), None, asked, again=again)
        self.means.queue.refused(self.slot, wait)  # nobody's next turn is before that
        self.attempts -= 1

    def redirect(self, raw: Raw) -> None:
        location = raw.headers.get("Location", "")
        try:
            target = urljoin(self.url, location) if location else ""
        except ValueError:
            target = ""
        found = self.means.connections.redaction.message(target or location)
        shown = on_one_line(found) or "nowhere"
        self.redirects += 1
        if self.request.method not in SAFE:
            # 302 and 303 are also how a server says: done, now look there.
            self.may_have_happened |= raw.status in (302, 303)
        if self.request.method not in SAFE or self.redirects > MOST_REDIRECTS:
            remedy = _slash(self.url, target) or "correct `url` in the project file"
            self.fail(f"the server sends it on to {shown}", remedy)
        if _origin(target) != _origin(self.settings.url):
            why = f"the server sends it on to another place, {shown}, which gets no token"
            self.fail(why, "correct `url` in the project file, if that place is the right one")
        if not _may_ask(self.settings, target):
            why = f"the server sends it on to {shown}, which lies below no listed address"
            self.fail(why, "list that address in the trust file, if it is the right one")
        if not (target.isascii() and target.isprintable()) or _has_dots(urlsplit(target).path):
            self.fail(f"the server sends it on to {shown}, which is no address", None)
        # Named in the same words: of one origin there are many spellings.
        self.url = _below(self.settings.url, target)
        self.attempts -= 1

    def refused(self, raw: Raw) -> str:
        reply = Reply(self.url, raw.status, raw.headers, raw.body)
        told = refusal(reply, "").diagnostics[0].message
        return told.partition("could not : ")[2]

    def fail(self, why: str, remedy: str | None) -> NoReturn:
        times = f" (after {self.attempts} attempts)" if self.attempts > 1 else ""
        message = self.means.connections.redaction.message(
            f"{self.request.method} {self.url}: {why}{times}"
        )
        found = Diagnostic("no-answer", message, None, remedy)
        if self.request.method in SAFE:
            raise BackendError(found)
        raise (LostReply if self.may_have_happened else NotSent)(found)


def _slash(asked: str, target: str) -> str | None:
    """What to do about an address that only lacks the slash at its end, or has one too many."""
    before, after = urlsplit(asked), urlsplit(target)
    same = (before.scheme, before.netloc) == (after.scheme, after.netloc)
    if not same or before.path.rstrip("/") != after.path.rstrip("/") or before.path == after.path:
        return None
    end = "with" if after.path.endswith("/") else "without"
    return f"write the path of this request in the profile {end} a slash at its end"


def _below(base: str, target: str) -> str:
    """Return the target with the scheme, host and port written as in the base."""
    origin, found = urlsplit(base), urlsplit(target)
    return urlunsplit((origin.scheme, origin.netloc, found.path or "/", found.query, ""))


def _may_ask(settings: HttpSettings, url: str) -> bool:
    """Whether a request may go to an address, as far as a trust file has a say."""
    return not settings.within or leads_below(settings.within, url)


def _has_dots(path: str) -> bool:
    """Whether somebody on the way could take the path for that of another resource."""
    if "." not in path and "%2" not in path:
        return False
    return any(part in (".", "..") for part in unquote(path).split("/"))


def _is_header(value: str) -> bool:
    if value.isascii() and value.isprintable():
        return True
    return all(" " <= character <= "\xff" and character != "\x7f" for character in value)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None, None
    return parts.scheme, parts.hostname, port
