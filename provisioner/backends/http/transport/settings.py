"""How a target over HTTP is reached: its options, checked all at once, with secrets kept secret."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from provisioner.backends.http.transport.proxies import is_loopback, proxy_from
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.plain_files import MAX_CERTIFICATES, MAX_SECRET, read_plain
from provisioner.trust.addresses import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model import Place

MEGABYTE: Final = 1_000_000
_AS_THEY_ARE: Final = (
    "profile",
    "concurrency",
    "changesets",
    "panel",
    "connect_timeout",
    "read_timeout",
    "reply_timeout",
    "total_timeout",
)
_PORTS: Final = {"http": 80, "https": 443}


class Secret(Struct, frozen=True):
    """A text that is never shown: not by ``repr``, nor by ``str``, nor in a format."""

    _text: str

    def reveal(self) -> str:
        """Return the text, to be sent and for nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, _: str) -> str:
        return "***"


class HttpSettings(Struct, frozen=True):
    """A target's options. Times are in seconds, sizes in bytes.

    ``read_timeout`` limits the silence between two pieces of a reply, ``reply_timeout`` a whole
    reply, ``total_timeout`` all attempts of one request and the waits between them. ``within``
    holds the addresses that requests have to stay below; without any, only ``url`` counts.
    """

    url: str
    token: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    profile: str = "gateway"
    concurrency: int = 8
    changesets: bool = True
    panel: str | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    reply_timeout: float = 15.0
    total_timeout: float = 30.0
    max_reply: int = 64 * MEGABYTE
    proxy: Secret | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    within: tuple[Address, ...] = ()

    @property
    def threads(self) -> int:
        """How many threads keep that many requests under way: some prepare while others wait."""
        return self.concurrency + max(1, self.concurrency // 4) if self.concurrency > 1 else 1

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read what is sent."""
        return self.url.startswith("https:")


def read_settings(
    options: Mapping[str, Any],
    folder: Path,
    place: Place | None,
    *,
    insecure_http: bool,
    environ: Mapping[str, str],
    within: tuple[Address, ...] = (),
) -> HttpSettings:
    """Return the settings of a target; paths among its options are relative to ``folder``.

    ``environ`` holds the secrets that options name, and the proxies.

    Raises:
        InvalidInput: With everything that is wrong with them.
    """
    reading = _Reading(options, folder, place, environ)
    url = reading.url(insecure_http=insecure_http)
    username = options.get("username") or reading.text_from("username_env", None)
    certificate, key = reading.file("client_cert"), reading.file("client_key")
    if key and not certificate:
        reading.wrong("client_key", "there is no `client_cert` that it belongs to", "add it")
    same = {name: options[name] for name in _AS_THEY_ARE if name in options}
    settings = HttpSettings(
        url=url,
        token=reading.secret("token_env", "token_file"),
        username=username,
        password=reading.secret("password_env", "password_file"),
        max_reply=int(options.get("max_reply_mb", 64) * MEGABYTE),
        proxy=reading.proxy(url),
        ca_file=reading.file("ca_file"),
        client_cert=certificate,
        client_key=key,
        within=within,
        **same,
    )
    if reading.problems:
        raise InvalidInput(reading.problems)
    return settings


class _Reading:
    """Reads options and collects what is wrong with them."""

    def __init__(
        self,
        options: Mapping[str, Any],
        folder: Path,
        place: Place | None,
        environ: Mapping[str, str],
    ) -> None:
        self.options, self.folder, self.place, self.environ = options, folder, place, environ
        self.problems: list[Diagnostic] = []

    def wrong(self, option: str, why: str, remedy: str) -> None:
        self.problems.append(Diagnostic("target-option", f"{option}: {why}", self.place, remedy))

    def url(self, *, insecure_http: bool) -> str:
        text = self.options["url"]
        parts = self._split("url", text)
        if parts is None:
            return ""
        if parts.username is not None or parts.password is not None:
            why = "the address must not hold a user name or password"
            self.wrong("url", why, "name the variable that holds the token: `token_env`")
        elif parts.query or parts.fragment or "?" in text or "#" in text:
            self.wrong("url", f"`{text}` must end before any `?` or `#`", "leave that part out")
        elif any(part in (".", "..") for part in unquote(parts.path).split("/")):
            self.wrong("url", f"`{text}` has `.` or `..` in its path", "write it without them")
        elif parts.scheme == "http" and not (is_loopback(parts.hostname or "") or insecure_http):
            why = f"`{text}` is not encrypted: the token could be read on the way"
            self.wrong("url", why, "use https, or repeat with --insecure-http")
        host = (parts.hostname or "").lower()
        host = f"[{host}]" if ":" in host else host
        port = f":{parts.port}" if parts.port not in (None, _PORTS[parts.scheme]) else ""
        return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"

    def _split(self, option: str, text: str) -> SplitResult | None:
        # A text with a name and password in it is a secret, whatever else it is.
        shown = "it" if "@" in text else f"`{text}`"
        parts = _address(text)
        if parts is None or not text.isascii() or not text.isprintable() or " " in text:
            why = f"{shown} is no address that begins with https://"
            self.wrong(option, why, "write it as https://HOST/PATH")
        elif not _has_a_sound_port(parts):
            why = f"{shown} has a port that is no number from 1 to 65535"
            self.wrong(option, why, "correct the port, or leave it out with its colon")
        else:
            return parts
        return None

    def secret(self, variable: str, file: str) -> Secret | None:
        if variable in self.options and file in self.options:
            self.wrong(variable, f"`{file}` is given as well", "keep one of them")
            return None
        text = self.text_from(variable, file)
        if text is not None and not (text.isascii() and text.isprintable() and " " not in text):
            where = self.options.get(variable) or self.options.get(file)
            if variable.startswith("token"):
                why = (
                    f"what `{where}` holds is no token: it has blanks, control or other characters"
                )
                self.wrong(variable if variable in self.options else file, why, "look into it")
                return None
        return Secret(text) if text is not None else None

    def text_from(self, variable: str, file: str | None) -> str | None:
        """What a variable of the environment, or a file, holds; None where neither is named."""
        if variable in self.options:
            name: str = self.options[variable]
            if not self.environ.get(name):
                how = "is empty" if name in self.environ else "is not set"
                self.wrong(variable, f"the variable {name} {how}", f"export {name}=...")
                return None
            return self.environ.get(name)
        if file is None or file not in self.options:
            return None
        path: Path = self.folder / self.options[file]
        try:
            text = read_plain(path, MAX_SECRET).decode().rstrip("\r\n")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self.wrong(file, f"can't read {path}: {why}", "correct the path, or the file")
            return None
        if not text:
            self.wrong(file, f"{path} is empty", "write the secret into it")
            return None
        return text

    def file(self, option: str) -> Path | None:
        if option not in self.options:
            return None
        path: Path = self.folder / self.options[option]
        try:
            read_plain(path, MAX_CERTIFICATES)
        except FileNotFoundError:
            self.wrong(option, f"there is no file {path}", "correct the path")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it has a NUL character"
            self.wrong(option, f"can't read {path}: {why}", "correct the path, or the file")
        return path

    def proxy(self, url: str) -> Secret | None:
        """The proxy's address, if there is one; it may hold a password."""
        given = self.options.get("proxy")
        if given == "none" or not url:
            return None
        found = given or proxy_from(url, self.environ)
        if not found:
            return None
        if "//" not in found:
            found = f"http://{found}"
        parts = self._split("proxy", found)
        if given and parts is not None and parts.password is not None:
            why = "a proxy's password has no place in the project file"
            self.wrong("proxy", why, "set HTTPS_PROXY in the environment instead")
        return Secret(found)


def _address(text: str) -> SplitResult | None:
    with suppress(ValueError):
        parts = urlsplit(text)
        if parts.scheme in _PORTS and parts.hostname:
            return parts
    return None


def _has_a_sound_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False
