"""Augmentations that change their place when steps move into a net or out of it."""

from __future__ import annotations

import warnings
from typing import Any

from hmsklearn.augmentation import AugmentationList, BaseAugmentation, WindowJitter

__all__ = ["refuse_jitter", "warn_of_places"]

_WHAT_HAPPENS = {
    "fuse": "changed what the moved steps gave, and will change what they are given",
    "unfuse": "changed what the moved steps were given, and will change what they give",
}


def warn_of_places(estimator: Any, caller: str) -> None:
    """Warn of augmentations that will be applied elsewhere in the next fit.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    caller : {"fuse", "unfuse"}
        What moves the steps, and the name that starts the message.

    Raises
    ------
    ValueError
        If an augmentation is not known.

    Warns
    -----
    UserWarning
        If one acts before the frontend.
    """
    names = {
        type(augmentation).__name__: None
        for augmentation in _augmentations(estimator, caller)
        if not augmentation.after_frontend
    }
    if not names:
        return
    remedy = ""
    if caller == "fuse":
        remedy = " Set after_frontend=True where that is not meant."
    warnings.warn(
        f"{caller}: {', '.join(names)} in augment of {type(estimator).__name__} "
        f"{_WHAT_HAPPENS[caller]}.{remedy}",
        UserWarning,
        stacklevel=3,
    )


def refuse_jitter(estimator: Any) -> None:
    """Refuse to put steps in front of a WindowJitter that was in front of them.

    Parameters
    ----------
    estimator : estimator
        The estimator; if it is fitted, with what it was fitted with.

    Raises
    ------
    ValueError
        If it cuts windows.

    Examples
    --------
    >>> from hmsklearn.neural import WaveformClassifier
    >>> refuse_jitter(WaveformClassifier(augment=[WindowJitter(100)]))
    Traceback (most recent call last):
        ...
    ValueError: unfuse: WindowJitter in augment of WaveformClassifier cuts windows \
before the frontend sees them, and would cut what its steps give. Take it out of \
augment, or leave the steps in the frontend.
    """
    found: list[Any] = _augmentations(estimator, "unfuse")
    if hasattr(estimator, "net_"):
        found.append(estimator.net_.module_.jitter)
    if any(isinstance(each, WindowJitter) for each in found):
        raise ValueError(
            f"unfuse: WindowJitter in augment of {type(estimator).__name__} cuts "
            "windows before the frontend sees them, and would cut what its steps "
            "give. Take it out of augment, or leave the steps in the frontend."
        )


def _augmentations(estimator: Any, caller: str) -> list[BaseAugmentation]:
    """List the augmentations of an estimator and of all its stages."""
    stages = getattr(estimator, "stages", None) or ()
    lists = [getattr(estimator, "augment", None), *(s.get("augment") for s in stages)]
    found = []
    for augment in lists:
        try:
            found += AugmentationList(augment or ()).resolve()
        except ValueError as error:
            raise ValueError(
                f"{caller}: augment of {type(estimator).__name__}: {error}"
            ) from error
    return found
