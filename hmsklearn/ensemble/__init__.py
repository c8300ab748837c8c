"""Combining classifiers under the KL divergence."""
