"""In which order the changes of a plan are written, where a store can't commit them at once.

``elements`` are the smallest changes; ``world`` knows what everybody holds while they are tried;
``sequence`` puts them in an order, ``search`` looks for a better one, ``phases`` is the plain order
for what is too large for that; ``steps`` joins and spreads what they found, ``writing`` makes
writes of it. Imports ``engine.writes``, the passage and the vocabulary.
"""
