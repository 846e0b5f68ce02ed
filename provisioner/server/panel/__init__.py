"""The panel that a gateway serves: its versions, its rules, and how both look as JSON.

Imports ``http`` for what it refuses by, and no database.
"""
