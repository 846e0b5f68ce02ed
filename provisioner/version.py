"""The version of this program; nothing else knows it."""

__version__ = "0.1.0"
