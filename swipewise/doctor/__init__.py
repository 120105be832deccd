"""Checks of the installation and of a workspace: what is well, what is not, and what mends it."""
