"""hmsklearn: scikit-learn parts for classifying EEG by expert votes."""

from importlib.metadata import version

__version__ = version("hmsklearn")

__all__ = ["__version__"]
