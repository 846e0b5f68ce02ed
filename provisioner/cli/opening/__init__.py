"""What commands begin with: a project, its sources, a target, a plan, and what judges it.

Imports whatever it takes to open them, and of the command line the ``Invocation`` and its output.
"""
