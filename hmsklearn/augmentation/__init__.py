"""Random changes of windows and targets in training, on the device of the data."""

from hmsklearn.augmentation._amplitude_scale import AmplitudeScale
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._brightness_contrast import BrightnessContrast
from hmsklearn.augmentation._centre_shift import CentreShift
from hmsklearn.augmentation._chain_permutation import ChainPermutation
from hmsklearn.augmentation._channel_drop import ChannelDrop
from hmsklearn.augmentation._channel_shuffle import ChannelShuffle
from hmsklearn.augmentation._cut_mix import CutMix
from hmsklearn.augmentation._cutout_1d import Cutout1d
from hmsklearn.augmentation._edge_dropout import EdgeDropout
from hmsklearn.augmentation._frequency_dropout import FrequencyDropout
from hmsklearn.augmentation._front_back_mirror import FrontBackMirror
from hmsklearn.augmentation._gaussian_noise import GaussianNoise
from hmsklearn.augmentation._horizontal_flip import HorizontalFlip
from hmsklearn.augmentation._label_smoothing import LabelSmoothing
from hmsklearn.augmentation._left_right_mirror import LeftRightMirror
from hmsklearn.augmentation._list import AugmentationList, apply_all
from hmsklearn.augmentation._manifold_mixup import ManifoldMixup
from hmsklearn.augmentation._mixup import Mixup
from hmsklearn.augmentation._one_of import OneOf
from hmsklearn.augmentation._polarity_flip import PolarityFlip
from hmsklearn.augmentation._random_band_pass import RandomBandPass
from hmsklearn.augmentation._random_nan_blocks import RandomNaNBlocks
from hmsklearn.augmentation._random_resized_crop import RandomResizedCrop
from hmsklearn.augmentation._registry import (
    AUGMENTATIONS,
    create_augmentation,
    list_augmentations,
)
from hmsklearn.augmentation._sine_needle import SineNeedle
from hmsklearn.augmentation._time_cut_mix import TimeCutMix
from hmsklearn.augmentation._time_mask import TimeMask
from hmsklearn.augmentation._time_reverse import TimeReverse
from hmsklearn.augmentation._time_shift import TimeShift
from hmsklearn.augmentation._vertical_flip import VerticalFlip
from hmsklearn.augmentation._vote_jitter import VoteJitter
from hmsklearn.augmentation._window_jitter import WindowJitter
from hmsklearn.augmentation._xy_masking import XYMasking

__all__ = [
    "AUGMENTATIONS",
    "AmplitudeScale",
    "AugmentationList",
    "BaseAugmentation",
    "BrightnessContrast",
    "CentreShift",
    "ChainPermutation",
    "ChannelDrop",
    "ChannelShuffle",
    "CutMix",
    "Cutout1d",
    "EdgeDropout",
    "FrequencyDropout",
    "FrontBackMirror",
    "GaussianNoise",
    "HorizontalFlip",
    "LabelSmoothing",
    "LeftRightMirror",
    "ManifoldMixup",
    "Mixup",
    "OneOf",
    "PolarityFlip",
    "RandomBandPass",
    "RandomNaNBlocks",
    "RandomResizedCrop",
    "SineNeedle",
    "TimeCutMix",
    "TimeMask",
    "TimeReverse",
    "TimeShift",
    "VerticalFlip",
    "VoteJitter",
    "WindowJitter",
    "XYMasking",
    "apply_all",
    "create_augmentation",
    "list_augmentations",
]
