"""Gives users exactly the roles that they shall hold, all at once or one by one."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.backends.http.objects.reading.fields import ApiRole, ApiUser
from provisioner.backends.http.objects.writing.confirmed_requests import (
    RequestRunner,
    RequestStep,
    compared,
    moved,
    not_found,
)
from provisioner.backends.http.objects.writing.placeholder_role import Detour
from provisioner.backends.http.objects.writing.resources import UserResource
from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError, OthersChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.backends.http.objects.reading.fields import Id
    from provisioner.backends.http.objects.reading.object_reader import ObjectReader
    from provisioner.backends.http.objects.writing.create_role import RoleCreator
    from provisioner.backends.http.profile.definition import Call, UsersPart
    from provisioner.engine.writes import SetAssignment


class Assigner:
    """Carries out assignments by a profile; ``creator`` makes roles that stand in for others."""

    def __init__(self, reader: ObjectReader, creator: RoleCreator) -> None:
        self._reader = reader
        self._detour = Detour(creator, self._replaced)
        self._known = reader.known
        self._resource = UserResource(reader)
        self._sent: dict[tuple[str, str], frozenset[str]] = {}
        # Who else holds a role is read and then written, so nobody of us may come in between.
        users = reader.profile.users
        shared = users and users.remove and "other_user_ids" in users.remove.uses
        self._together = threading.Lock() if shared else nullcontext()

    def assign(self, write: SetAssignment) -> None:
        """Make a user's roles exactly those of the write.

        Raises:
            StateMoved: The user does not hold what the write begins with; nothing was changed.
            BackendError: There is no such user, or it failed.
        """
        users = self._reader.profile.users
        if users is None:
            message = "the API has no assignments; nothing was changed"
            raise BackendError(Diagnostic("unsupported", message))
        with self._together:
            held = self._expected(write, users)
            wanted = replace(held, roles=self._known.keys_of(write.after))
            if users.last_role_by_detour and held.roles and not wanted.roles:
                self._known.put_user(self._detour.take(held))
                return
            steps = self._steps(users, held, wanted)
            if steps:
                made = RequestRunner(self._reader.lists.client, self._resource).run(steps)
                self._known.put_user(made or wanted)
            if users.remove and "other_user_ids" in users.remove.uses:
                self._require_others(held, held.roles - wanted.roles)

    def _expected(self, write: SetAssignment, users: UsersPart) -> ApiUser:
        """The user that the write begins with, once it is certain, or will be refused."""
        keys = self._known.keys_of(write.before)
        held = self._known.user(write.user)
        versioned = compared(users.assign, users.add, users.remove)
        if held and held.etag and versioned and held.roles == keys:
            return held
        found = self._reader.user(held.login if held else write.user, held.id if held else None)
        if found is None:
            if held and users.get and not self._resource.is_gone(held):
                not_found(f"user {held.login}", users.get)
            message = f"there is no user {write.user}; users are made elsewhere"
            raise BackendError(Diagnostic("no-such-user", f"{message}; nothing was changed"))
        self._known.put_user(found)
        expected = replace(found, login=write.user, roles=keys)
        if difference := self._resource.difference(found, expected):
            moved("user-changed", f"what {write.user} holds changed since: {difference}")
        return found

    def _steps(
        self, users: UsersPart, held: ApiUser, wanted: ApiUser
    ) -> list[RequestStep[ApiUser]]:
        if wanted.roles == held.roles:
            return []
        if users.assign and (wanted.roles or not users.last_role_by_remove):
            return [self._whole(users.assign, held, wanted)]
        return self._one_by_one(users, held, wanted)

    def _replaced(self, held: ApiUser, wanted: ApiUser) -> RequestStep[ApiUser]:
        assign = self._reader.users_part.assign
        assert assign is not None  # noqa: S101 - a profile without it was refused
        return self._whole(assign, held, wanted)

    def _whole(self, call: Call, held: ApiUser, wanted: ApiUser) -> RequestStep[ApiUser]:
        roles = self._known.names_and_ids(wanted.roles)
        values = {
            "id": held.id,
            "login": held.login,
            "roles": [name for name, _ in roles],
            "role_ids": [id for _, id in roles],
        }
        return RequestStep(f"assign roles to {held.login}", call, lambda: values, held, wanted)

    def _one_by_one(
        self, users: UsersPart, held: ApiUser, wanted: ApiUser
    ) -> list[RequestStep[ApiUser]]:
        """First what is taken, then what is given: at no time more than before or after."""
        steps: list[RequestStep[ApiUser]] = []
        before = held
        for verb, call, keys in (
            ("take role", users.remove, held.roles - wanted.roles),
            ("give role", users.add, wanted.roles - held.roles),
        ):
            for name, id in self._known.names_and_ids(keys):
                if call is not None:
                    after = replace(before, roles=before.roles ^ {str(id)})
                    what = f"{verb} {name} ({held.login})"
                    values = self._of_one(call, held, ApiRole(id, name))
                    steps.append(RequestStep(what, call, values, before, after))
                    before = after
        return steps

    def _require_others(self, held: ApiUser, taken: frozenset[str]) -> None:
        """Make sure that who held a role beside the user still does, after it was rewritten.

        Raises:
            OthersChanged: Somebody does not, who is named.
        """
        lost = []
        for name, id in self._known.names_and_ids(taken):
            role = ApiRole(id, name)
            kept = {str(each) for each in self._reader.holders(role)}
            missing = self._sent.pop((held.folded, role.key), frozenset()) - kept
            if missing:
                who = ", ".join(sorted(self._known.login_of(each) or each for each in missing))
                lost.append(f"{who} ({name})")
        if lost:
            message = (
                f"taking roles from {held.login} rewrites who else holds them, and afterwards "
                f"these do not hold them any more: {'; '.join(lost)}"
            )
            remedy = "see in the panel whether somebody else took them away; give them back if not"
            raise OthersChanged(Diagnostic("others-affected", message, None, remedy))

    def _of_one(self, call: Call, held: ApiUser, role: ApiRole) -> Callable[[], dict[str, object]]:
        """What the placeholders of a request about one user and one role stand for."""

        def values() -> dict[str, object]:
            filled: dict[str, object] = {"id": held.id, "login": held.login}
            filled |= {"role": role.name, "role_id": role.id}
            if "other_user_ids" in call.uses:
                others: list[Id] = self._reader.holders(role)
                filled["other_user_ids"] = [id for id in others if str(id) != str(held.id)]
                sent = frozenset(map(str, others)) - {str(held.id)}
                self._sent[held.folded, role.key] = sent
            return filled

        return values
