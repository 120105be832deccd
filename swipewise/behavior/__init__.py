"""What viewers are interested in, and how that changes."""
