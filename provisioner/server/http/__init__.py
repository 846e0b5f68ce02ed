"""The gateway's outside: sockets, limits, headers, pages, problems. Knows nothing of the panel."""
