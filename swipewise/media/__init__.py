"""Probe and decode clips with PyAV."""
