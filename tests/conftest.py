"""What all tests share: golden files, how much property tests try, how a test that hangs ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

GOLDEN = Path(__file__).parent / "golden"

# The same examples on every run, so that a red build is red on every machine; `make thorough`
# explores.
settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "thorough",
    settings.get_profile("default"),
    max_examples=3000,
    derandomize=False,
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


# What the tests compare has no colour, whatever runs them wants to see.
os.environ.pop("FORCE_COLOR", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the files in tests/golden that differ, instead of failing",
    )


class TookTooLong(BaseException):
    """A test was still running when its time was over."""


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer() -> Generator[None, object, object]:
    """Have a test that hangs fail for good: Hypothesis catches failures, and would try it again."""
    done = yield
    fail = signal.getsignal(signal.SIGALRM)

    def end(*given: Any) -> None:
        assert callable(fail)
        try:
            fail(*given)
        except pytest.fail.Exception as failure:
            raise TookTooLong(str(failure)) from None

    if callable(fail):  # else a thread was asked for, which ends all of pytest
        signal.signal(signal.SIGALRM, end)
    return done


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, text)``: the text is, to the byte, what ``tests/golden/<name>`` holds."""
    update = request.config.getoption("--update-golden")

    def check(name: str, text: str) -> None:
        file = GOLDEN / name
        if update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        elif not file.exists():
            pytest.fail(f"tests/golden/{name} does not exist; `make golden` writes it")
        expected = file.read_bytes().decode()
        assert text == expected, f"not what tests/golden/{name} holds; if meant: `make golden`"

    return check
