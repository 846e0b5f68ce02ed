"""The HTTP contract between a client and a gateway (schemas/gateway.openapi.yaml), as code.

Used by both sides. No I/O but reading the contract's own file.
"""
