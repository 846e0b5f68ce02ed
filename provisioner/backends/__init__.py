"""Adapters to the stores that hold roles: the protocol (``base``), the registry, the adapters."""
