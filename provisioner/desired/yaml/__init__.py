"""YAML, strictly: bytes to plain values that know their places, and held against a schema.

Knows nothing of roles, nor of the rest of ``desired``.
"""
