"""What each route of the contract answers (``reads``), and what it changes (``writes``).

Imports the other folders of the server; only ``gateway`` and ``app`` import it.
"""
