"""What is written down and read back: plans, states, reviews of access, a gateway's messages.

Imports the engine's values, and for what stands in a plan as text ``reports.text``; no command,
source or backend.
"""
