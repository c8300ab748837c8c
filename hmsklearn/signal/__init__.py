"""Pure functions on arrays of windows: the operations themselves, no estimators."""
