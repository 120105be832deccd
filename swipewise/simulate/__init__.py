"""A simulated platform whose truth is known."""
