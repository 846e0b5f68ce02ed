"""Requests and replies over HTTP: in time, in order, repeated where that is safe, secrets kept.

Knows nothing of profiles, roles or users.
"""
