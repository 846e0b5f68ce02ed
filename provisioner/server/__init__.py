"""The reference gateway: one panel's roles over HTTP, by the contract in provisioner/wire.

::

    edge ─ app ─ requests ─ tokens      one request: limits, routes, shapes, who asks
                 └ reads, writes        what each route does
                    └ editing           the panel's rules, on provisioner.engine.writes
                    └ store, audit, runs, idempotency   what a transaction reads and writes
                       └ database, tables, migrations   SQLite or PostgreSQL

Needs the extra ``server``. Nothing outside of this package and ``provisioner serve`` imports it.
"""
