"""The reference gateway: one panel's roles over HTTP, by the contract in documents/gateway.

::

    http/edge ─ app ─ http/requests ─ tokens   one request: limits, routes, shapes, who asks
                 └ panel/reads, panel/writes   what each route does
                    └ panel/editing            the panel's rules, on provisioner.engine.writes
                    └ database/store, records  what a transaction reads and writes
                       └ database/connection, tables, migrations   SQLite or PostgreSQL

Needs the extra ``server``. Nothing outside of this package and ``provisioner serve`` imports it.
"""
