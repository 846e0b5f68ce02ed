"""Who holds what, and why. From a state to access, chains, explanations, reviews and cuts.

Imports the words of the package, and nothing else of the engine.
"""
