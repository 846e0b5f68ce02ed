"""The gateway's outside: sockets, limits, headers, tokens, pages, problems.

Knows neither the panel nor the database.
"""
