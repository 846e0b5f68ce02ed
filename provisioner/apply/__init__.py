"""Carrying a plan out: the only folder that changes anything.

``run`` is the whole of it; ``one_by_one`` writes object by object where a store can't commit at
once; ``foresight`` asks a store beforehand what will stand in the way; ``outcome`` is what came of
it. Imports the engine and the protocol of backends (``backends.base``); only ``cli`` imports it.
"""
