"""What an API is told to do: one object at a time, never over what somebody else did.

Imports ``reading`` and ``lists``; only ``objects.backend`` imports it.
"""
