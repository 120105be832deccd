"""Readers that turn public data sets into workspaces."""
