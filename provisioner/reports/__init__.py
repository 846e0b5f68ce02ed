"""What commands answer, as text. ``text`` is what people read."""
