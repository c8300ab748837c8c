"""Out-of-fold predictions that keep vote targets intact."""
