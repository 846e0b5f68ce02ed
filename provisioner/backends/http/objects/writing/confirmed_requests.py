"""Carries out the requests of one write, one after the other, and finds out what became of each.

Each step knows the object before and after it. Whatever an answer leaves open (it was lost, or it
may be about an earlier attempt of the same request) is settled by reading the object: as it should
be, the step is done; as it was, it is sent again; anything else is an error. After the last step
the object is held against what was wanted, so that nothing is left out silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Generic, NoReturn, Protocol, TypeVar

from msgspec import Struct

from provisioner.backends.http.objects.calls import AuthorizedClient, request_of
from provisioner.backends.http.profile.definition import Call
from provisioner.backends.http.transport.messages import LostReply
from provisioner.backends.http.transport.refusals import refusal
from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError, OthersChanged, ProvisionerError, StateMoved

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from provisioner.backends.http.transport.messages import Reply

ATTEMPTS: Final = 3
# What an earlier attempt that did arrive turns into an answer like this one.
_AMBIGUOUS: Final = frozenset({404, 409, 412})
_NOT_FOUND: Final = 404
_MOVED: Final = frozenset({_NOT_FOUND, 412})
_NO_ENDPOINT: Final = (
    "correct the path in the profile (the slash at its end, too), or see whether the profile is "
    "for this version of the API"
)


class ApiObject(Protocol):
    """A role or user as the API showed it."""

    @property
    def etag(self) -> str | None:
        """Its version, where the API gives one."""
        ...


ApiObjectT = TypeVar("ApiObjectT", bound=ApiObject)


class Resource(Protocol[ApiObjectT]):
    """What steps are about: roles, or users."""

    def read(self, held: ApiObjectT) -> ApiObjectT | None:
        """Return the object as it is now; None if it is gone."""
        ...

    def shown(self, reply: Reply, call: Call, held: ApiObjectT) -> ApiObjectT | None:
        """Return the object as an answer shows it; None if it does not, or can't be believed.

        Raises:
            OthersChanged: The answer shows another than the one that the call was about.
        """
        ...

    def changing(self) -> AbstractContextManager[None]:
        """Hold off what must not be read while a request changes it."""
        ...

    def is_gone(self, held: ApiObjectT) -> bool:
        """Whether the list of all objects of its kind lacks the object now."""
        ...

    def difference(self, found: ApiObjectT | None, wanted: ApiObjectT | None) -> str | None:
        """Say in which way two are not the same; None if they are."""
        ...


class RequestStep(Struct, Generic[ApiObjectT], frozen=True):
    """One request. ``what`` completes "could not ..."; ``after`` is None for a deletion.

    ``values`` are worked out for each attempt.
    """

    what: str
    call: Call
    values: Callable[[], Mapping[str, object]]
    before: ApiObjectT
    after: ApiObjectT | None


class RequestRunner(Struct, Generic[ApiObjectT], frozen=True):
    """Carries out steps on one kind of object."""

    client: AuthorizedClient
    resource: Resource[ApiObjectT]

    def run(
        self, steps: Sequence[RequestStep[ApiObjectT]], *, done: Sequence[str] = ()
    ) -> ApiObjectT | None:
        """Carry out all steps; return the object afterwards.

        ``done`` is what this write has done already.

        Raises:
            StateMoved: The object is not what it was; nothing was changed.
            BackendError: It failed, or what was done does not show; the message says how far it
                came.
        """
        made = list(done)
        held: ApiObjectT | None = steps[0].before
        found: ApiObjectT | None = None
        for number, step in enumerate(steps):
            try:
                if number and step.call.match:
                    held = found or self.resource.read(step.before)
                found = self._one(step, held.etag if held else None)
            except ProvisionerError as error:
                if made:
                    raise broken_off(made, [each.what for each in steps[number:]], error) from error
                raise
            made.append(step.what)
        last = steps[-1]
        if last.after is None:
            return None
        if found is None:
            found = self.resource.read(last.after)
        if difference := self.resource.difference(found, last.after):
            not_kept(last.what, difference)
        return found

    def _one(self, step: RequestStep[ApiObjectT], etag: str | None) -> ApiObjectT | None:
        """Carry out one step; return the object if the answer shows it."""
        error: ProvisionerError | None = None
        for _ in range(ATTEMPTS):
            request = request_of(step.call, step.values(), etag)
            try:
                with self.resource.changing():
                    reply = self.client.send(request)
            except LostReply as lost:
                error = lost
            else:
                if reply.status < 400:
                    return self.resource.shown(reply, step.call, step.before)
                if not (reply.perhaps_repeated and reply.status in _AMBIGUOUS):
                    raise self._refused(reply, step)
                error = _moved_by(reply, step.what)
            found = self.resource.read(step.before)
            # A 404 may come from anybody on the way; of an answer that is lost it proves nothing.
            if found is None and not self.resource.is_gone(step.before):
                break
            if self.resource.difference(found, step.after) is None:
                return found
            if self.resource.difference(found, step.before):
                break
        assert error is not None  # noqa: S101 - the loop runs
        # Whether it took place can't be known now, so it is no conflict, which would be certain.
        raise BackendError(error.diagnostics) from error

    def _refused(self, reply: Reply, step: RequestStep[ApiObjectT]) -> ProvisionerError:
        """The error for a refusal; a 404 is about the object only if that is gone."""
        try:
            gone = reply.status != _NOT_FOUND or self.resource.read(step.before) is None
        except ProvisionerError:
            gone = True
        if gone:
            return _moved_by(reply, step.what)
        told = refusal(reply, step.what).diagnostics[0].message
        message = f"{told}. What it is about is there: so the API has no {step.call.method} at this"
        message += " address, or something else that it was sent is gone"
        return BackendError(Diagnostic("no-endpoint", message, None, _NO_ENDPOINT))


def _moved_by(reply: Reply, what: str) -> ProvisionerError:
    error = refusal(reply, what)
    if reply.status not in _MOVED:
        return error
    message = f"{error.diagnostics[0].message}: it changed since it was read"
    return StateMoved(Diagnostic("state-moved", message, None, "plan again"))


def broken_off(made: Sequence[str], rest: Sequence[str], error: ProvisionerError) -> BackendError:
    """Return the error for a write that did some of its requests and not the others."""
    message = f"broke off in the middle. Done: {', '.join(made)}. Not done: {', '.join(rest)}"
    remedy = "plan again: the plan shows what is missing"
    kind = OthersChanged if isinstance(error, OthersChanged) else BackendError
    return kind([Diagnostic("broken-off", message, None, remedy), *error.diagnostics])


def not_kept(what: str, difference: str) -> NoReturn:
    """Raise the error for an API that took a write and does not show it."""
    message = f"the API took the request to {what}, and did something else: {difference}"
    remedy = "plan again to see what is there now; the API may not know all that was sent"
    raise BackendError(Diagnostic("not-kept", message, None, remedy))


def not_found(what: str, call: Call) -> NoReturn:
    """Raise the error for an object that is listed, and answered with 404 by itself."""
    message = f"{what} is listed, but {call.method} {call.path} does not find it"
    raise BackendError(Diagnostic("no-endpoint", message, None, _NO_ENDPOINT))


def moved(id: str, why: str) -> NoReturn:
    """Raise the error for an object that is not what a write begins with."""
    raise StateMoved(Diagnostic(id, f"{why}; nothing was changed", None, "plan again"))


def compared(*calls: Call | None) -> bool:
    """Whether the API itself compares versions in each of these requests."""
    return all(call.match for call in calls if call)
