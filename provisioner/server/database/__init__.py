"""What a gateway remembers, on SQLite or PostgreSQL: the panel's versions, its runs, its audit.

Imports ``panel`` and ``http``; ``failures`` says what a client is told when it goes wrong.
"""
