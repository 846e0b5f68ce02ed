"""A target behind a gateway that speaks our own contract."""
