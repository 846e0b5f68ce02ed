"""What a plan must not do, whatever the sources say. Each guard names the way round it, if any.

A guard is a function from a plan on trial to its objections; ``check`` holds the list of them.
"""
