"""In which order the changes of a plan are written, where a store can't commit them at once.

``world`` knows what everybody holds while elements are tried; ``sequence`` puts the elements in an
order, ``search`` looks for a better one, ``phases`` is the plain order for what is too large for
that; ``steps`` makes writes of it. Imports ``engine.writes`` and the vocabulary.
"""
