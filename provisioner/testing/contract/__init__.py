"""The contract that every backend keeps, as tests.

Subclass it and say how to make a store::

    class TestMyBackend(BackendContract):
        @pytest.fixture
        def backend(self, tmp_path):
            store = tmp_path / "store"
            return lambda: MyBackend(store)

``backend`` is a function; each call returns another handle to the same store, which is fresh for
each test. What a store does not declare in its capabilities is not asked of it. A store that only
knows certain privileges or users names some of them in ``privileges`` and ``users``.

A docstring tells what is promised; a failing assertion, what was seen instead.
"""

from __future__ import annotations

import pytest

# Before the imports below: so that a failing assertion shows its values.
pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("conflicts", "content", "runs", "setting"))
)

from provisioner.testing.contract.conflicts import ConflictContract
from provisioner.testing.contract.content import ContentContract
from provisioner.testing.contract.runs import RunContract
from provisioner.testing.contract.setting import Factory, carry_out, run, without_ids

__all__ = ["BackendContract", "Factory", "carry_out", "run", "without_ids"]


class BackendContract(ContentContract, ConflictContract, RunContract):
    """What every backend promises. See the module's docstring for how to use it."""
