"""The HTTP contract between a client and a gateway (schemas/gateway.openapi.yaml), as code.

Both sides use this folder and neither owns it: it imports the values of runs (``backends.base``)
and what no schema sees (``backends.contradictions``), and neither adapter nor server.
"""
