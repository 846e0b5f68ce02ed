"""From YAML in git to the desired state: read, check, merge, resolve; and back (``writer``).

``load`` is the way in. Imports the words and rules of the engine, and no backend, plan
or output.
"""
