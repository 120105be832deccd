"""Vector search behind one protocol."""
