"""Carrying a plan out: the only folder that changes anything. Knows backends and the engine.

``run`` is the whole of it; ``steps`` writes object by object where a store can't commit at once;
``lookup`` asks a store beforehand what will stand in the way; ``outcome`` is what was done.
"""
