"""The HTTP contract between a client and a gateway (schemas/gateway.openapi.yaml), as code.

Both sides use this folder and neither owns it.
"""
