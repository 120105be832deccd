"""The pages beyond the README; ``generate`` writes those that tell what the code says of itself."""
