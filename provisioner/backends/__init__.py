"""Adapters to the stores that hold roles.

``base`` is the protocol, ``opening`` what an adapter is given, ``registry`` finds the adapter; the
other modules are what several adapters need. Imports the engine's writes and no source, plan or
output. Others import ``base``; who opens a target, ``registry``; nobody but that an adapter.
"""
