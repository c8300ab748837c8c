"""Checks for estimators on windows of signals."""
