"""What a gateway remembers, on SQLite or PostgreSQL: the panel's versions, its runs, its audit."""
