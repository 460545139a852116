"""The reference solutions: plain PyTorch, written to be read."""
