"""Whole lists: every page or an error, for what is missing must never look deleted."""
