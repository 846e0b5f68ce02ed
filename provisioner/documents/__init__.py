"""What is written down and read back: plans, states, reviews, a gateway's messages; strict JSON.

``strict_json`` is the only reader of JSON there is, and knows nothing else of the program. The
documents know the engine's values and the backends' types, and no command, source or output.
"""
