"""Who holds what, and why. From a state to access, chains, explanations, reviews and cuts.

Imports the vocabulary, and nothing else of the engine but its words.
"""
