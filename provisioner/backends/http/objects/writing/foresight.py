"""Looks for what changes will need of an API, before the first of them is made.

A profile can speak of requests that this version of an API does not have, of ETags that are weak or
missing, of addresses that a login can't be a part of. All of that shows before anything is written:
lists are asked for once, and whether a request exists that changes something is asked with OPTIONS
(RFC 9110, 9.3.7) where the API answers that for what it certainly has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from provisioner.backends.http.objects.reading.fields import ApiRole
from provisioner.backends.http.objects.reading.object_reader import ObjectReader
from provisioner.backends.http.objects.writing.needed_requests import Need, NeededList, needs
from provisioner.backends.http.profile.template import Unfillable, filled_path, placeholders
from provisioner.backends.http.transport.messages import Request
from provisioner.diagnostics import Diagnostic
from provisioner.engine.writes import CreateRole, RenameRole, SetAssignment
from provisioner.errors import BackendError, ProvisionerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.backends.http.objects.reading.fields import ApiUser
    from provisioner.backends.http.profile.definition import Call
    from provisioner.backends.http.transport.messages import Reply
    from provisioner.engine.writes import Write

_NOT_FOUND: Final = 404
_GOOD: Final = frozenset({200, 204})
_SHOWN: Final = 10
_OTHER_VERSION: Final = (
    "see whether the profile is for this version of the API, and correct its path or method there"
)


class Foresight(Struct):
    """Asks an API what changes need; what was found is not asked for again."""

    reader: ObjectReader
    _asked: dict[object, Diagnostic | None] = field(default_factory=dict)
    _tells: bool | None = None

    def of(self, writes: Iterable[Write]) -> Iterator[Diagnostic]:
        """Yield what will not work, as errors, and what somebody should know, as warnings.

        Raises:
            BackendError: The API does not answer.
        """
        wanted = tuple(writes)
        profile, known = self.reader.profile, self.reader.known
        needed = [need for write in wanted for need in needs(write, profile, known)]
        requests = [need for need in needed if isinstance(need, Need)]
        yield from self._names(wanted)
        yield from _unaddressable(requests)
        yield from self._etags(requests)
        said: set[object] = set()
        for need in needed:
            key = _key(need)
            found = self._looked_up(key, need)
            if found is not None and key not in said:
                said.add(key)
                yield found
        yield from self._side_effects(wanted)

    @property
    def tells(self) -> bool:
        """Whether the API says with OPTIONS which requests it has: for what it has it must."""
        if self._tells is None:
            roles = self.reader.profile.roles
            example = self.reader.known.any_role()
            values = {"id": example.id, "name": example.name} if example else {}
            calls = [roles.list.call, *([roles.get] if roles.get and example else [])]
            allowed = [self._allowed(call, values) for call in calls]
            self._tells = all(methods and "GET" in methods for methods in allowed)
        return self._tells

    def _names(self, writes: Iterable[Write]) -> Iterator[Diagnostic]:
        most = self.reader.profile.roles.max_name
        for write in writes:
            name = _new_name(write)
            if most is not None and len(name) > most:
                message = f"role {name} has a name of {len(name)} characters; the API takes {most}"
                yield Diagnostic("name-too-long", message, None, "give it a shorter name")

    def _etags(self, needed: Iterable[Need]) -> Iterator[Diagnostic]:
        """Objects whose requests are bound to a version, and which have none to bind them to."""
        bound = {
            (type(need.about), need.about.key): need.about
            for need in needed
            if need.call.match and need.about is not None
        }
        done: set[type] = set()
        for kind, key in sorted(bound, key=lambda pair: (pair[0].__name__, pair[1])):
            held: ApiRole | ApiUser | None = bound[kind, key]
            if kind in done or held is None:
                continue
            if held.etag is None:
                # In the header of a single object: one is as good as another.
                done.add(kind)
                held = self._read(held)
            if held is None or is_strong(held.etag):
                continue
            done.add(kind)
            shown = "none" if held.etag is None else f"the weak {held.etag}"
            message = (
                f"changes are bound to the version of an object (`match: true`), and of "
                f"{_named(held)} the API gives {shown}"
            )
            remedy = "have the API give strong ETags, or take `match` out of the profile"
            yield Diagnostic("no-etag", message, None, remedy)

    def _read(self, held: ApiRole | ApiUser) -> ApiRole | ApiUser | None:
        if isinstance(held, ApiRole):
            return self.reader.role(held.id, held.name)
        return self.reader.user(held.login, held.id)

    def _looked_up(self, key: object, need: Need | NeededList) -> Diagnostic | None:
        if key not in self._asked:
            found = self._list(need) if isinstance(need, NeededList) else self._request(need)
            self._asked[key] = found
        return self._asked[key]

    def _list(self, need: NeededList) -> Diagnostic | None:
        call = need.listing.call
        try:
            reply = self.reader.lists.first(need.listing, need.values)
        except BackendError as error:
            return Diagnostic("no-answer", f"to {need.purpose}: {error.diagnostics[0].message}")
        if reply.status < 400:
            return None
        return _missing(need.purpose, call, f"answers {reply.status} to GET {reply.url}")

    def _request(self, need: Need) -> Diagnostic | None:
        call = need.call
        allowed = self._allowed(call, need.values) if self.tells else None
        if allowed is None:
            return None
        if not allowed:
            return _missing(need.purpose, call, "has no such address")
        if call.method not in allowed:
            return _missing(need.purpose, call, f"takes {', '.join(sorted(allowed))} there only")
        return None

    def _allowed(self, call: Call, values: Mapping[str, object]) -> frozenset[str] | None:
        """The methods at an address; none where there is none, None where that is not said."""
        try:
            path = filled_path(call.path, values)
        except (Unfillable, KeyError):
            return None
        try:
            reply = self.reader.lists.client.send(Request("OPTIONS", path, repeatable=False))
        except ProvisionerError:
            return None
        if reply.status == _NOT_FOUND:
            return frozenset()
        return _methods(reply) or None

    def _side_effects(self, writes: Iterable[Write]) -> Iterator[Diagnostic]:
        users = self.reader.profile.users
        taking = [w for w in writes if isinstance(w, SetAssignment) and w.before - w.after]
        if users is None:
            return
        last = [write.user for write in taking if not write.after]
        if last and users.last_role_by_detour:
            message = (
                "the API leaves nobody without roles: a temporary role without privileges takes "
                f"the place of the last role of {_listed(last)}, and is deleted"
            )
            yield Diagnostic("temporary-role", message, None, None, "warning")
        rewrites = users.remove is not None and "other_user_ids" in users.remove.uses
        if users.last_role_by_remove or users.assign is None:
            by_remove = last if users.assign else [write.user for write in taking]
            if rewrites and by_remove:
                message = (
                    f"to take roles from {_listed(by_remove)}, the list of all who hold each of "
                    "them is written anew: what others assign of it at that moment is lost"
                )
                remedy = "let nobody else assign those roles while this is applied"
                yield Diagnostic("holders-rewritten", message, None, remedy, "warning")


def _key(need: Need | NeededList) -> object:
    """What is looked up once, whatever the objects: of no use without values for its path."""
    if isinstance(need, NeededList):
        call = need.listing.call
        return call.method, call.path, call.query
    return need.call.method, need.call.path, placeholders(need.call.path) <= need.values.keys()


def is_strong(etag: str | None) -> bool:
    """Whether a write can be bound to it (RFC 9110, 13.1.1: If-Match compares strongly)."""
    return etag is not None and not etag.startswith("W/")


def _unaddressable(needed: Iterable[Need]) -> Iterator[Diagnostic]:
    said: set[str] = set()
    for need in needed:
        if need.subject in said or not placeholders(need.call.path) <= need.values.keys():
            continue
        try:
            filled_path(need.call.path, need.values)
        except Unfillable as error:
            said.add(need.subject)
            message = f"{need.subject} can't be asked for: {error}"
            remedy = "leave it out of the sources, and change it in the panel"
            yield Diagnostic("unaddressable", message, None, remedy)


def _missing(purpose: str, call: Call, why: str) -> Diagnostic:
    message = f"to {purpose} takes {call.method} {call.path}, and the API {why}"
    return Diagnostic("no-endpoint", message, None, _OTHER_VERSION)


def _methods(reply: Reply) -> frozenset[str]:
    if reply.status not in _GOOD:
        return frozenset()
    told = reply.headers.get("Allow", "")
    return frozenset(method.strip().upper() for method in told.split(",") if method.strip())


def _new_name(write: Write) -> str:
    match write:
        case CreateRole(role):
            return role.name
        case RenameRole(_, name):
            return name
        case _:
            return ""


def _named(held: ApiRole | ApiUser) -> str:
    return f"role {held.name}" if isinstance(held, ApiRole) else f"user {held.login}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
