"""The trust file as values; whether the file itself can be trusted."""

from __future__ import annotations

import json
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from provisioner.desired.load import read_document
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.model import Place
from provisioner.trust.addresses import Address, Unclear, address
from provisioner.trust.paths import checkout, passes_through, widest_checkout

if TYPE_CHECKING:
    from provisioner.desired.yaml.document import Document

_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class Listed(Struct, frozen=True):
    """One listed address, and by key what a target below it may name."""

    below: Address
    allowed: Mapping[str, tuple[str, ...]]
    place: Place


class Trust(Struct, frozen=True):
    """A trust file. ``adapters`` holds targets of other backends: name, and options as JSON."""

    file: str
    targets: tuple[Listed, ...] = ()
    adapters: frozenset[tuple[str, str]] = frozenset()
    files: tuple[str, ...] = ()


def read_trust(file: str, folder: Path) -> Trust:
    """Return what a trust file lists. ``folder`` is that of the project file.

    Raises:
        InvalidInput: It lies in a checkout, others may write it, or something is wrong with it.
    """
    _require_out_of_reach(file, folder)
    document = read_document(file, "trust")
    if document.diagnostics:
        raise InvalidInput(document.diagnostics)
    problems: list[Diagnostic] = []
    targets, adapters = [], set()
    for index, given in enumerate(document.root.get("targets", ())):
        if "backend" in given:
            adapters.add((given["backend"], as_listed(given["options"])))
        elif listed := _listed(document, index, given, problems):
            targets.append(listed)
    if problems:
        raise InvalidInput(problems)
    files = tuple(document.root.get("files", ()))
    return Trust(file, tuple(targets), frozenset(adapters), files)


def as_listed(options: Mapping[str, Any]) -> str:
    """The form in which options of an adapter are compared: 1, 1.0 and true are three things."""
    return json.dumps(options, sort_keys=True, default=str)


def _listed(
    document: Document, index: int, given: Mapping[str, Any], problems: list[Diagnostic]
) -> Listed | None:
    place = document.place(("targets", index, "url"))
    try:
        below = address(given["url"])
    except Unclear as error:
        remedy = "write it as https://HOST/ or https://HOST/PATH/"
        what = f"`url` is no address that everybody reads alike: {error}"
        problems.append(Diagnostic("trust-address", what, place, remedy))
        return None
    allowed = {key: tuple(values) for key, values in given.items() if key != "url"}
    return Listed(below, allowed, place)


def _require_out_of_reach(file: str, folder: Path) -> None:
    """Refuse a trust file that the author of a branch, or another user, could have written."""
    tops = {widest_checkout(folder) or checkout(folder), widest_checkout(Path())}
    top = passes_through(file, [top for top in tops if top is not None])
    if top is not None:
        why = f"it lies in the checkout {top}, so whoever writes a branch could write it"
        remedy = "keep it outside of the checkout, and name it without a link that lies inside"
        raise InvalidInput(Diagnostic("trust-file", why, file, remedy))
    try:
        mode = Path(file).stat().st_mode
    except (OSError, ValueError) as error:
        why = f"can't read the trust file: {getattr(error, 'strerror', None) or error}"
        raise InvalidInput(Diagnostic("trust-file", why, file, "check the path")) from None
    if mode & _WRITABLE_BY_OTHERS:
        who = "anybody" if mode & stat.S_IWOTH else "its group"
        remedy = f"take that away: chmod go-w {shlex.quote(file)}"
        why = f"{who} may write it, so it can't be trusted"
        raise InvalidInput(Diagnostic("trust-file", why, file, remedy))
