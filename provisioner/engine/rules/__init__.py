"""What must and must not be: policies, access tests, lint; and which policies are in force.

Imports ``engine.access``, never how changes are planned.
"""
