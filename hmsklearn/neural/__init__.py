"""Neural classifiers for soft vote targets, with skorch inside."""
