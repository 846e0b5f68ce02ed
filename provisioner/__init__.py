"""provisioner: billing roles and privileges as code."""

__version__ = "0.1.0"
