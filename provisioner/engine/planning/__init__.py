"""The plan: its changes, their order, what it does to people, and everything that may forbid it.

The engine's last room: imports all others, and none imports it.
"""
