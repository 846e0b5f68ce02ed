"""A target behind a gateway that speaks our own contract.

Imports ``transport`` and the contract (``documents.gateway``). What a gateway does not offer is
done over ``objects.backend``.
"""
