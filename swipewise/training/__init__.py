"""Data sets, batches, the training loop and checkpoints."""
