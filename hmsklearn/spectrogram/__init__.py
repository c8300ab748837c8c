"""Signal to time-frequency transformers."""
