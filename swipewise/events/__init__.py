"""Behaviour: the live log, the history, and both as interactions and sequences."""
