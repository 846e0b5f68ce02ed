"""Whole lists: every page or an error, for what is missing must never look deleted.

Knows nothing of roles and users, beyond that roles are listed.
"""
