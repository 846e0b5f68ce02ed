"""A target behind any JSON API that a profile describes, read and written object by object.

``backend`` is all of it, over ``writing`` → ``reading`` → ``lists``; ``calls`` sends requests for
each of them. Imports ``profile`` and ``transport``, and not our own contract.
"""
