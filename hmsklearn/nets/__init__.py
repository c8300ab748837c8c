"""Torch modules: logits out, one architecture a file, a registry."""
