"""What must and must not be: policies, access tests, lint; and which policies are in force.

Imports ``engine.access`` and knows the passage from one state to another, never a plan of it.
"""
