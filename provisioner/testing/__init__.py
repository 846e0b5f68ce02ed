"""What tests of provisioner and of its backends need: a memory backend and a contract suite.

``provisioner.testing.contract`` needs pytest and is therefore not imported here. Nothing outside of
tests imports this folder.
"""

from __future__ import annotations

from provisioner.testing.memory import MemoryBackend

__all__ = ["MemoryBackend"]
