"""Augmentations one after the other, given as objects or by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from sklearn.base import BaseEstimator

from hmsklearn.augmentation._alone import apply_alone
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._registry import create_augmentation

__all__ = ["AugmentationList", "apply_all"]


class AugmentationList(BaseEstimator):
    """Several augmentations, applied in order.

    Parameters
    ----------
    augmentations : augmentation, str, tuple or sequence of them, default=()
        Augmentations: objects, names, or tuples of a name and a dict of parameters.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier; those of the augmentations are not used.

    See Also
    --------
    OneOf : A choice for each window.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import AugmentationList, TimeReverse
    >>> both = AugmentationList(["polarity_flip", TimeReverse(p=1.0)], random_state=0)
    >>> both = both.set_params(augmentations=[("polarity_flip", {"p": 1.0}), "mixup"])
    >>> both(np.ones((2, 1, 4))).ravel().tolist()
    [-1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]
    """

    def __init__(self, augmentations: Any = (), *, random_state: Any = None) -> None:
        self.augmentations = augmentations
        self.random_state = random_state

    def resolve(self) -> list[BaseAugmentation]:
        """Build what is given by name.

        Returns
        -------
        list of BaseAugmentation
            The augmentations in order.

        Raises
        ------
        ValueError
            If an entry is not understood, or a name or parameter is not known.
        """
        given = self.augmentations
        one = isinstance(given, (str, BaseAugmentation)) or _is_pair(given)
        return [_build(entry) for entry in ([given] if one else given)]

    def check(self) -> None:
        """Check all augmentations.

        Raises
        ------
        ValueError
            If a parameter of one is unusable.
        """
        for augmentation in self.resolve():
            augmentation.check()

    def apply(
        self,
        batch: Mapping[str, Any],
        generator: torch.Generator | None = None,
        *,
        after_frontend: bool | None = None,
    ) -> dict[str, Any]:
        """Apply them to a batch.

        Parameters
        ----------
        batch : mapping
            A batch, as :meth:`BaseAugmentation.apply` takes it.
        generator : torch.Generator, optional
            Where random numbers come from; torch's own of the device by default.
        after_frontend : bool, optional
            Only those that act behind the frontend, or before it; all by default.

        Returns
        -------
        dict
            A new batch.
        """
        return apply_all(
            self.resolve(), batch, generator, after_frontend=after_frontend
        )

    def __call__(self, X: Any, y: Any = None) -> Any:
        """Change windows outside a classifier.

        Parameters
        ----------
        X : ndarray, Tensor or dict of them, shape (n_windows, ...)
            Windows.
        y : array-like, optional
            Votes, fractions or labels of the windows.

        Returns
        -------
        ndarray, Tensor or dict of them
            New windows of the same kind; with `y`, they and the vote fractions.
        """
        return apply_alone(self.apply, X, y, self.random_state, type(self).__name__)


def apply_all(
    augmentations: Sequence[BaseAugmentation],
    batch: Mapping[str, Any],
    generator: torch.Generator | None = None,
    *,
    after_frontend: bool | None = None,
) -> dict[str, Any]:
    """Apply augmentations one after the other to a batch.

    Parameters
    ----------
    augmentations : sequence of BaseAugmentation
        What to apply.
    batch : mapping
        A batch, as :meth:`BaseAugmentation.apply` takes it.
    generator : torch.Generator, optional
        Where random numbers come from; torch's own of the device by default.
    after_frontend : bool, optional
        Only those that act behind the frontend, or before it; all by default.

    Returns
    -------
    dict
        A new batch.

    Examples
    --------
    >>> from hmsklearn.augmentation import HorizontalFlip, PolarityFlip
    >>> batch = {"x": torch.ones(1, 1, 2)}
    >>> augmentations = [PolarityFlip(p=1.0), HorizontalFlip(p=1.0)]
    >>> apply_all(augmentations, batch, after_frontend=False)["x"]
    tensor([[[-1., -1.]]])
    """
    out = dict(batch)
    for augmentation in augmentations:
        if after_frontend is None or augmentation.after_frontend == after_frontend:
            out = augmentation.apply(out, generator)
    return out


def _is_pair(entry: Any) -> bool:
    return (
        isinstance(entry, tuple)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and isinstance(entry[1], Mapping)
    )


def _build(entry: Any) -> BaseAugmentation:
    if isinstance(entry, BaseAugmentation):
        return entry
    if isinstance(entry, str):
        return create_augmentation(entry)
    if _is_pair(entry):
        return create_augmentation(entry[0], **entry[1])
    raise ValueError(
        f"AugmentationList: {entry!r} is no augmentation. Give an augmentation, its "
        "name, or a tuple of its name and a dict of parameters."
    )
