"""Displays of windows and scores."""
