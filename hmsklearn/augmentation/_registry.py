"""The list of augmentations by name; a new one is one file and one line here."""

from __future__ import annotations

import difflib
import inspect
from typing import Any

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
from hmsklearn.augmentation._manifold_mixup import ManifoldMixup
from hmsklearn.augmentation._mixup import Mixup
from hmsklearn.augmentation._one_of import OneOf
from hmsklearn.augmentation._polarity_flip import PolarityFlip
from hmsklearn.augmentation._random_band_pass import RandomBandPass
from hmsklearn.augmentation._random_nan_blocks import RandomNaNBlocks
from hmsklearn.augmentation._random_resized_crop import RandomResizedCrop
from hmsklearn.augmentation._sine_needle import SineNeedle
from hmsklearn.augmentation._time_cut_mix import TimeCutMix
from hmsklearn.augmentation._time_mask import TimeMask
from hmsklearn.augmentation._time_reverse import TimeReverse
from hmsklearn.augmentation._time_shift import TimeShift
from hmsklearn.augmentation._vertical_flip import VerticalFlip
from hmsklearn.augmentation._vote_jitter import VoteJitter
from hmsklearn.augmentation._window_jitter import WindowJitter
from hmsklearn.augmentation._xy_masking import XYMasking

__all__ = ["AUGMENTATIONS", "create_augmentation", "list_augmentations"]

#: Augmentations by name.
AUGMENTATIONS: dict[str, type[BaseAugmentation]] = {
    "amplitude_scale": AmplitudeScale,
    "brightness_contrast": BrightnessContrast,
    "centre_shift": CentreShift,
    "chain_permutation": ChainPermutation,
    "channel_drop": ChannelDrop,
    "channel_shuffle": ChannelShuffle,
    "cut_mix": CutMix,
    "cutout_1d": Cutout1d,
    "edge_dropout": EdgeDropout,
    "frequency_dropout": FrequencyDropout,
    "front_back_mirror": FrontBackMirror,
    "gaussian_noise": GaussianNoise,
    "horizontal_flip": HorizontalFlip,
    "label_smoothing": LabelSmoothing,
    "left_right_mirror": LeftRightMirror,
    "manifold_mixup": ManifoldMixup,
    "mixup": Mixup,
    "one_of": OneOf,
    "polarity_flip": PolarityFlip,
    "random_band_pass": RandomBandPass,
    "random_nan_blocks": RandomNaNBlocks,
    "random_resized_crop": RandomResizedCrop,
    "sine_needle": SineNeedle,
    "time_cut_mix": TimeCutMix,
    "time_mask": TimeMask,
    "time_reverse": TimeReverse,
    "time_shift": TimeShift,
    "vertical_flip": VerticalFlip,
    "vote_jitter": VoteJitter,
    "window_jitter": WindowJitter,
    "xy_masking": XYMasking,
}


def list_augmentations(*, after_frontend: bool | None = None) -> list[str]:
    """Names of the augmentations.

    Parameters
    ----------
    after_frontend : bool, optional
        Only those that by default act on images behind the frontend, or on signals
        before it.

    Returns
    -------
    list of str
        Sorted names.

    Examples
    --------
    >>> "mixup" in list_augmentations()
    True
    >>> "xy_masking" in list_augmentations(after_frontend=False)
    False
    """
    if after_frontend is None:
        return sorted(AUGMENTATIONS)
    return sorted(
        name
        for name, cls in AUGMENTATIONS.items()
        if _acts_after(cls) == after_frontend
    )


def _acts_after(cls: type[BaseAugmentation]) -> bool:
    parameter = inspect.signature(cls).parameters.get("after_frontend")
    # OneOf acts where its augmentations do; without any it counts among the signals.
    return parameter.default if parameter else cls.after_frontend is True


def create_augmentation(name: str, **params: Any) -> BaseAugmentation:
    """Build an augmentation by its name.

    Parameters
    ----------
    name : str
        Name, see :func:`list_augmentations`.
    **params : object
        Its parameters.

    Returns
    -------
    BaseAugmentation
        The augmentation.

    Raises
    ------
    ValueError
        If the name or a parameter is not known; the message lists the nearest ones.

    Examples
    --------
    >>> create_augmentation("mixup", alpha=0.2)
    Mixup(alpha=0.2)
    """
    if name not in AUGMENTATIONS:
        close = difflib.get_close_matches(str(name), AUGMENTATIONS, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise ValueError(
            f"The augmentation {name!r} is not known. {hint}Known are "
            f"{list_augmentations()}."
        )
    cls = AUGMENTATIONS[name]
    known = list(inspect.signature(cls).parameters)
    for parameter in params:
        if parameter not in known:
            close = difflib.get_close_matches(parameter, known, n=2, cutoff=0.4)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise ValueError(
                f"create_augmentation({name!r}): {cls.__name__} has no parameter "
                f"{parameter!r}.{hint} Known are {known}."
            )
    return cls(**params)
