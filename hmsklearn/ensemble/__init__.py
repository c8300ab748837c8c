"""Combining classifiers under the KL divergence."""

from hmsklearn.ensemble._blender import KLBlender
from hmsklearn.ensemble._stacking import StackingKLClassifier

__all__ = ["KLBlender", "StackingKLClassifier"]
