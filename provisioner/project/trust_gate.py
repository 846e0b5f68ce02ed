"""The one gate between a project file and what it names: addresses, secrets, files.

Without a trust file everything passes: then a project file is code, like a script that is run.
With one, whatever is not listed is an error, before anything is read or reached. Every command
opens targets and reads catalogues and sources behind this gate.
"""

from __future__ import annotations

# From Python 3.15 on (PEP 810) these load when they are first used: without a trust file, never.
__lazy_modules__ = ["provisioner.trust.paths"]

import json
import re
from typing import TYPE_CHECKING, Final

from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.trust.paths import checkout, is_at_or_below, listed_place, real_places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.model import Place
    from provisioner.project.settings import Project, TargetSettings
    from provisioner.trust.addresses import Address
    from provisioner.trust.reading import Trust

# Every key that a target over HTTP can have is in one of these, and what is in none is refused.
# A key, and the one in the trust file that lists what it may say.
VARIABLES: Final = {name: name for name in ("token_env", "username_env", "password_env")}
FILES: Final = {
    "token_file": "token_file",
    "password_file": "password_file",
    "client_cert": "client_cert",
    "client_key": "client_key",
    "ca_file": "ca",
}
PASSWORDS: Final = frozenset({"password_env", "password_file"})
TEXTS: Final = {"proxy": "proxy"}
# Judged apart from these tables.
APART: Final = frozenset({"backend", "url", "profile", "catalogue"})
# They reach nothing, read nothing and hold no secret.
HARMLESS: Final = frozenset(
    {
        "self",
        "ceiling",
        "username",
        "panel",
        "changesets",
        "concurrency",
        "connect_timeout",
        "read_timeout",
        "reply_timeout",
        "total_timeout",
        "max_reply_mb",
    }
)
# What a file target uses beside its file.
_BESIDE: Final = (".history", ".lock", ".commit")
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]*")
_OF_EVERY_TARGET: Final = frozenset({"backend", "self", "catalogue", "ceiling"})


def require_trusted(project: Project, target: TargetSettings) -> None:
    """Make sure that the project's trust file, if there is one, lists all that a target names.

    Raises:
        InvalidInput: With everything that it names and the trust file does not list.
    """
    if project.trust is None:
        return
    found = list(_Judging(project, project.trust).target(target))
    if found:
        raise InvalidInput(found)


def require_trusted_project_file(file: Path) -> None:
    """Make sure that a project file is no link out of its checkout, before it is read.

    Raises:
        InvalidInput: It is.
    """
    if not is_at_or_below(file.resolve(), checkout(file.parent)):
        message = "the project file is a link that leads out of the checkout"
        remedy = "put the file itself there, or name it where it is with --config"
        raise InvalidInput(Diagnostic("not-trusted", message, str(file), remedy))


def require_trusted_sources(project: Project) -> None:
    """Make sure that the project's sources lie in its checkout, or are listed.

    Raises:
        InvalidInput: With every one that does not.
    """
    if project.trust is None:
        return
    found = list(_Judging(project, project.trust).sources())
    if found:
        raise InvalidInput(found)


def addresses_for(project: Project, target: TargetSettings) -> tuple[Address, ...]:
    """The listed addresses that a target's requests have to stay below; none without trust file."""
    if project.trust is None or target.backend != "http":
        return ()
    from provisioner.trust.addresses import address

    asked = address(target.options["url"])
    return tuple(each.below for each in project.trust.targets if each.below.covers(asked))


class _Judging:
    """One project held against its trust file; each method yields what is not listed."""

    def __init__(self, project: Project, trust: Trust) -> None:
        self._project, self._trust = project, trust
        # Relative paths are resolved once more below; what a link leads to counts then.
        self._folder = project.folder.resolve()
        self._top = checkout(project.folder)

    def sources(self) -> Iterator[Diagnostic]:
        """Sources come from the checkout; from elsewhere, where that is listed."""
        written = self._project.written
        given = written.root.get("sources", ()) if written else ()
        for index, path in enumerate(given):
            inside = all(
                is_at_or_below(place, self._top)
                for place in real_places(self._project.folder, path)
            )
            if not inside and not self._is_listed(path):
                yield self._unlisted_file(("sources", index), "sources", path)

    def target(self, target: TargetSettings) -> Iterator[Diagnostic]:
        """All that a target names."""
        if target.catalogue is not None:
            yield from self._file(target, "catalogue", target.catalogue)
        elif (shared := self._project.catalogue) is not None and not self._is_listed(shared):
            yield self._unlisted_file(("catalogue",), "catalogue", shared)
        match target.backend:
            case "file":
                yield from self._store(target)
            case "http":
                yield from self._http(target)
            case _:
                yield from self._adapter(target)

    def _store(self, target: TargetSettings) -> Iterator[Diagnostic]:
        for option in target.options.keys() - _OF_EVERY_TARGET - {"path"}:
            yield self._unknown(target, option)
        path = target.options["path"]
        yield from self._file(target, "path", path)
        for real in real_places(self._project.folder, path):
            for beside in (real.with_name(f"{real.name}{suffix}") for suffix in _BESIDE):
                # Beside a listed file it needs no line of its own, unless it leads elsewhere.
                if beside.is_symlink():
                    yield from self._file(target, "path", str(beside))

    def _http(self, target: TargetSettings) -> Iterator[Diagnostic]:
        from provisioner.trust.addresses import Unclear, address

        profile = target.options.get("profile", "")
        # What is shipped has a plain name.
        if "." in profile or "/" in profile:
            yield from self._file(target, "profile", profile)
            yield from self._own_profile(target, profile)
        try:
            asked = address(target.options["url"])
        except Unclear as error:
            why = f"no address that everybody reads alike: {error}"
            remedy = "write it as https://HOST/PATH, and list that in the trust file"
            yield self._finding(target, "url", why, remedy)
            return
        if not any(each.below.covers(asked) for each in self._trust.targets):
            why = f"{asked} lies below no address that the trust file lists"
            yield self._finding(target, "url", why, self._add("targets", _entry(target, asked)))
            return
        for option in target.options.keys() - APART - HARMLESS:
            yield from self._option(target, option, asked)

    def _own_profile(self, target: TargetSettings, profile: str) -> Iterator[Diagnostic]:
        """A profile says where below the address a password is sent, and in which words."""
        places = real_places(self._project.folder, profile)
        inside = any(is_at_or_below(place, self._top) for place in places)
        if inside and target.options.keys() & PASSWORDS:
            why = f"{_quoted(profile)} lies in the checkout, and would say where the password goes"
            remedy = "keep it outside, and list it under `files`; or take a token for the target"
            yield self._finding(target, "profile", why, remedy)

    def _option(self, target: TargetSettings, option: str, asked: Address) -> Iterator[Diagnostic]:
        key = (VARIABLES | FILES | TEXTS).get(option)
        if key is None:
            yield self._unknown(target, option)
            return
        entries = [each for each in self._trust.targets if each.below.covers(asked)]
        given = target.options[option]
        allowed = [value for each in entries for value in each.allowed.get(key, ())]
        listed = self._is_file_of(given, allowed) if option in FILES else given in allowed
        if not listed:
            # The narrowest address that is listed, so that no more is trusted than is needed.
            entry = max(entries, key=lambda each: len(each.below.segments))
            line = f"{key}: {_flow([*entry.allowed.get(key, ()), _shown(target, option)])}"
            why = f"{_quoted(_shown(target, option))} is not listed for {entry.below}"
            yield self._finding(target, option, why, self._set(entry.place, line))

    def _adapter(self, target: TargetSettings) -> Iterator[Diagnostic]:
        from provisioner.trust.reading import as_listed

        options = {k: v for k, v in target.options.items() if k not in _OF_EVERY_TARGET}
        if (target.backend, as_listed(options)) not in self._trust.adapters:
            why = f"the trust file lists no target `{target.backend}` with these very options"
            line = f"{{backend: {_quoted(target.backend)}, options: {{...}}}}"
            remedy = f"{self._add('targets', line)}, with the options as they stand here"
            yield self._finding(target, "backend", why, remedy)

    def _file(self, target: TargetSettings, option: str, path: str) -> Iterator[Diagnostic]:
        if not self._is_listed(path):
            what = f"target `{target.name}`: {option}"
            yield self._unlisted_file(("targets", target.name, option), what, path)

    def _is_listed(self, path: str) -> bool:
        """Whether everything that a path may lead to lies below what is listed."""
        places = [listed_place(self._folder, each, self._top) for each in self._trust.files]
        return all(
            any(is_at_or_below(real, place) for place in places)
            for real in real_places(self._project.folder, path)
        )

    def _is_file_of(self, path: str, listed: list[str]) -> bool:
        """Whether a path leads to a file that is listed itself."""
        places = {listed_place(self._folder, each, self._top) for each in listed}
        return real_places(self._project.folder, path) <= places

    def _unlisted_file(self, path: tuple[str | int, ...], what: str, named: str) -> Diagnostic:
        real = sorted(map(str, real_places(self._project.folder, named)))
        via = "" if str(self._folder / named) in real else f", which is {_quoted(real[-1])},"
        message = f"{what}: {_quoted(named)}{via} is not below what the trust file lists as `files`"
        line = f"files: {_flow([*self._trust.files, named])}"
        remedy = f"if that is meant, write in {self._trust.file}: {line}"
        return Diagnostic("not-trusted", message, self._place(path), remedy)

    def _unknown(self, target: TargetSettings, option: str) -> Diagnostic:
        why = "nobody has said yet whether a project file that is not trusted may set it"
        return self._finding(target, option, why, "leave it out")

    def _finding(self, target: TargetSettings, option: str, why: str, remedy: str) -> Diagnostic:
        message = f"target `{target.name}`: {option}: {why}"
        return Diagnostic(
            "not-trusted", message, self._place(("targets", target.name, option)), remedy
        )

    def _add(self, key: str, line: str) -> str:
        return f"if that is meant, add to `{key}` in {self._trust.file}: - {line}"

    def _set(self, entry: Place, line: str) -> str:
        return f"if that is meant, write in the entry at {entry}: {line}"

    def _place(self, path: tuple[str | int, ...]) -> Place | str | None:
        return self._project.written.place(path) if self._project.written else None


def _entry(target: TargetSettings, asked: Address) -> str:
    """The entry of a trust file that lists a target as it is."""
    parts = [f"url: {_quoted(str(asked))}"]
    parts += [
        f"{key}: {_flow([_shown(target, option)])}"
        for option, key in (VARIABLES | FILES | TEXTS).items()
        if option in target.options
    ]
    return f"{{{', '.join(parts)}}}"


def _shown(target: TargetSettings, option: str) -> str:
    """What an option says, unless that could have a password in it."""
    text: str = target.options[option]
    return "..." if option in TEXTS and "@" in text else text


def _flow(texts: list[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _quoted(text: str) -> str:
    """A text as YAML reads it back. Only what can be nothing but text stands without quotes."""
    return text if _VARIABLE.fullmatch(text) else json.dumps(text)
