"""Combining classifiers under the KL divergence."""

from hmsklearn.ensemble._averaging import AveragingKLClassifier
from hmsklearn.ensemble._blender import KLBlender
from hmsklearn.ensemble._context import GroupContextBlender
from hmsklearn.ensemble._soft_labels import SoftLabelClassifier
from hmsklearn.ensemble._stacking import StackingKLClassifier
from hmsklearn.ensemble._test_time import TestTimeAugmenter
from hmsklearn.ensemble._tta_registry import TEST_TIME_SCHEMES, TEST_TIME_TRANSFORMS

__all__ = [
    "TEST_TIME_SCHEMES",
    "TEST_TIME_TRANSFORMS",
    "AveragingKLClassifier",
    "GroupContextBlender",
    "KLBlender",
    "SoftLabelClassifier",
    "StackingKLClassifier",
    "TestTimeAugmenter",
]
