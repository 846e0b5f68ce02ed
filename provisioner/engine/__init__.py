"""The pure core: diff, order, plan, effective access, guards. No I/O, no clock, no randomness.

Imports only the words of the package. The modules here are the words of the engine; its folders
import each other one way: ``planning`` → ``transition``, ``rules`` → ``access``.
"""
