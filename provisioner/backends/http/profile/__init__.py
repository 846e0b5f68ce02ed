"""Profiles: what a JSON API calls the things that a backend needs; read, checked, and as values.

Knows nothing of connections: imports only words. ``shipped`` holds the profiles that come along.
"""
