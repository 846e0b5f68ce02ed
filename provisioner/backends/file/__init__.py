"""The file backend: one JSON state file with history and locks. See ``backend.FileBackend``.

Imports what adapters share (``backends``), and no other adapter.
"""

from __future__ import annotations

from provisioner.backends.file.backend import FileBackend

__all__ = ["FileBackend"]
