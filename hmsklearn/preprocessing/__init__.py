"""Signal to signal transformers."""
