"""``--version``, and with ``-v`` beside it what a report of a defect needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = "provisioner"


def version() -> str:
    """Name and version."""
    return f"{NAME} {__version__}"


def details() -> Iterator[str]:
    """The same, then Python, the platform, the place, and each library with its version."""
    import platform
    import sys
    from pathlib import Path

    python = f"Python {platform.python_version()} ({platform.python_implementation()})"
    yield version()
    yield f"{python}, {sys.executable}"
    yield platform.platform()
    yield f"installed in {Path(__file__).parents[1]}"
    yield from _libraries()


def _libraries() -> Iterator[str]:
    """What the installed package requires, its extras too. Nothing of it is imported."""
    import re
    from importlib import metadata

    try:
        required = metadata.requires(NAME) or ()
    except metadata.PackageNotFoundError:
        yield f"no package {NAME} is installed: the libraries are not known"
        return
    names = {re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in required}
    for name in sorted(names, key=str.casefold):
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"{name}: not installed"
