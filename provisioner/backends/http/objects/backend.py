"""A target behind any JSON API that a profile describes, read and written object by object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.backends.adapter import ObjectAdapter
from provisioner.backends.base import Description
from provisioner.backends.http.objects.calls import AuthorizedClient
from provisioner.backends.http.objects.health import examine_api
from provisioner.backends.http.objects.lists.paging import MOST_PAGES, Lists
from provisioner.backends.http.objects.reading.identities import KnownObjects, objects_of
from provisioner.backends.http.objects.reading.object_reader import ObjectReader
from provisioner.backends.http.objects.reading.whole_panel import read_whole_panel
from provisioner.backends.http.objects.writing.foresight import Foresight
from provisioner.backends.http.objects.writing.object_writer import ObjectWriter
from provisioner.backends.http.transport.redaction import redacted
from provisioner.diagnostics import Diagnostic
from provisioner.engine.order.grain import Grain
from provisioner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.backends.base import Check
    from provisioner.backends.http.profile.definition import Login, Profile
    from provisioner.backends.http.transport.client import Client
    from provisioner.backends.http.transport.redaction import Redaction
    from provisioner.backends.http.transport.settings import HttpSettings
    from provisioner.engine.writes import Write
    from provisioner.model import Place, Snapshot, State


class ObjectBackend(ObjectAdapter):
    """Implements ``provisioner.backends.base.Backend`` by a profile.

    There is no lock, no history and nothing to record in: what is there is what the API shows.
    ``most_pages`` is where a list that has no end is given up; ``place`` is that of the target.

    Raises:
        InvalidInput: The profile logs in, and the settings have neither token nor password.
    """

    def __init__(
        self,
        client: Client,
        profile: Profile,
        settings: HttpSettings,
        *,
        most_pages: int = MOST_PAGES,
        place: Place | None = None,
    ) -> None:
        self._client = client
        self._profile = profile
        self._settings = settings
        self._known = KnownObjects()
        login, credentials = _login(profile, settings, place)
        self._subject = credentials.get("username")
        authorized = AuthorizedClient(client, login, credentials)
        lists = Lists(authorized, settings.url, most_pages)
        self._reader = ObjectReader(lists, profile, self._known)
        self._writer = ObjectWriter(self._reader, self.read)
        self._foresight = Foresight(self._reader)

    @property
    def speaks_contract(self) -> bool:
        """Whether the API speaks our whole gateway contract, not only its objects."""
        return self._profile.contract == "gateway"

    @property
    def redaction(self) -> Redaction:
        """What takes the target's secrets out of messages."""
        return self._client.redaction

    def describe(self) -> Description:
        """Say what this is; the profile tells it, so nothing is asked."""
        capabilities = self._profile.capabilities()
        threads, grain = self._settings.threads, _grain(self._profile)
        return Description("http", self._settings.url, capabilities, threads, grain=grain)

    @redacted
    def read(self) -> Snapshot:
        """Read everything.

        Raises:
            BackendError: Something could not be read whole, or is not what the profile says.
        """
        panel = read_whole_panel(self._reader, self._settings.concurrency)
        self._known.learn(panel.roles, panel.users)
        users = self._profile.users
        found = panel.snapshot(self._settings.url, closed=users is not None and users.closed)
        administrators = self._profile.roles.administrators
        return replace(found, subject=self._subject, administrators=administrators)

    def remember(
        self, state: State, role_etags: Mapping[str, str], user_etags: Mapping[str, str]
    ) -> None:
        """Take in what another way of reading has shown; ETags are by role id and folded login."""
        self._known.learn(*objects_of(state, role_etags, user_etags))

    @redacted
    def write(self, write: Write) -> None:
        """Carry out one write on its object; see the protocol for what it promises."""
        self._writer.write(write)

    @redacted
    def foresee(self, writes: tuple[Write, ...]) -> tuple[Diagnostic, ...]:
        """Say what the API lacks of what these writes will need; see the protocol."""
        return tuple(self._foresight.of(writes))

    @property
    def tells_requests(self) -> bool:
        """Whether the API says which requests it has, so that ``foresee`` knows of each."""
        return self._foresight.tells

    def abort(self) -> None:
        """Give up what is under way."""
        self._client.close()

    def examine(self) -> Iterator[Check]:
        """Look at the connection, and whether everything can be read."""
        return examine_api(self, self._settings)


def _grain(profile: Profile) -> Grain:
    """What the API changes at once."""
    granted, users = profile.roles.privileges, profile.users
    return Grain(
        sets=users is None or users.assign is not None,
        privileges=granted.list is None or granted.replace is not None,
        roles=granted.list is None,
    )


def _login(
    profile: Profile, settings: HttpSettings, place: Place | None
) -> tuple[Login | None, dict[str, str]]:
    """The login that is needed, and what to fill it with; none where a token is given."""
    if profile.login is None or settings.token is not None:
        return None, {}
    if settings.username is None or settings.password is None:
        message = f"the profile `{profile.name}` logs in, and has no user name or no password"
        remedy = "add `username_env:` and `password_env:` to the target, or `token_env:`"
        raise InvalidInput(Diagnostic("no-credentials", message, place, remedy))
    return profile.login, {"username": settings.username, "password": settings.password.reveal()}
