"""A target behind any JSON API that a profile describes, read and written object by object."""
