"""From the stored state to the wanted one: what belongs together, and what a store can hold of it.

Imports ``engine.access``, never a plan.
"""
