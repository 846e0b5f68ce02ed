"""From YAML in git to the desired state: read, check, merge, resolve; and back (``writer``)."""
