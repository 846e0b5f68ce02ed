"""What an API shows: fields of objects, which id is which name, one object or everything.

Imports ``lists``, and nothing that writes.
"""
