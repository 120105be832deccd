"""Recommenders to beat, with the same face as the model."""
