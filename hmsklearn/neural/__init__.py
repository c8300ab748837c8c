"""Neural classifiers: scikit-learn outside, skorch and torch inside."""

from hmsklearn.neural._base import BaseNeuralClassifier
from hmsklearn.neural._frontend import Frontend
from hmsklearn.neural._fuse import fuse, unfuse
from hmsklearn.neural._image import ImageClassifier
from hmsklearn.neural._losses import (
    DirichletMultinomialLoss,
    FocalLoss,
    SoftBCELoss,
    VoteKLLoss,
    VoteLoss,
)
from hmsklearn.neural._memory import keep_freed_memory
from hmsklearn.neural._multi_view import MultiViewClassifier
from hmsklearn.neural._row_weights import (
    DecayingVoteWeight,
    MinimumVoteWeight,
    TwoLevelVoteWeight,
)
from hmsklearn.neural._timm import TimmClassifier
from hmsklearn.neural._video import VideoClassifier
from hmsklearn.neural._waveform import WaveformClassifier

__all__ = [
    "BaseNeuralClassifier",
    "DecayingVoteWeight",
    "DirichletMultinomialLoss",
    "FocalLoss",
    "Frontend",
    "ImageClassifier",
    "MinimumVoteWeight",
    "MultiViewClassifier",
    "SoftBCELoss",
    "TimmClassifier",
    "TwoLevelVoteWeight",
    "VideoClassifier",
    "VoteKLLoss",
    "VoteLoss",
    "WaveformClassifier",
    "fuse",
    "keep_freed_memory",
    "unfuse",
]
