"""The reference gateway: one panel's roles over HTTP, by the contract in documents/gateway.

::

    app            which route does what
    └ gateway      one running gateway: its panel, and the transactions that requests run in
      └ routes     what each route answers and changes
        └ database what a transaction reads and writes: SQLite or PostgreSQL
          └ panel  the panel's rules, on provisioner.engine.writes; versions as JSON
            └ http one request: limits, headers, shapes, who asks

Each of these may use what stands below it, never what stands above.

Needs the extra ``server``. Nothing outside of this package and ``provisioner serve`` imports it.
"""
