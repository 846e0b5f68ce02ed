"""Values to text for people. No I/O: every function takes a value and returns what to print.

Imports the engine's values, and nothing that reads, writes or prints.
"""
