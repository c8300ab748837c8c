"""LabelSmoothing: targets a little closer to even."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_real
from hmsklearn.augmentation._target_only import TargetAugmentation

__all__ = ["LabelSmoothing"]


class LabelSmoothing(TargetAugmentation):
    """Move targets towards the even distribution, also only those of few votes.

    Parameters
    ----------
    epsilon : float, default=0.05
        Share of the even distribution: ``(1 - epsilon) * y + epsilon / n_classes``.
    max_votes : float, default=None
        Smooth only rows with at most so many votes; all by default.
    p : float, default=1.0
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    Raises
    ------
    ValueError
        When applied with `max_votes` to a batch that has no numbers of votes.

    Notes
    -----
    Windows stay as they are. Rows whose number of votes is not known (NaN) stay too,
    if `max_votes` is given.

    References
    ----------
    C. Szegedy et al., Rethinking the Inception Architecture, CVPR 2016.
    HMS: 5th place (discussion 492652), 0.05 for rows of at most three votes, or 0.1 in
    another of its models; 0.1 in the 6th (492619).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import LabelSmoothing
    >>> smoothing = LabelSmoothing(0.2, max_votes=3)
    >>> _, y = smoothing(np.zeros((2, 1, 4)), np.array([[2, 0], [9, 0]]))
    >>> y.tolist()
    [[0.9, 0.1], [1.0, 0.0]]
    """

    def __init__(
        self,
        epsilon: float = 0.05,
        *,
        max_votes: float | None = None,
        p: float = 1.0,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.epsilon = epsilon
        self.max_votes = max_votes

    def _check(self) -> None:
        check_real(self.epsilon, "epsilon", caller=self._name, low=0, high=1)
        if self.max_votes is not None:
            check_real(self.max_votes, "max_votes", caller=self._name, low=0)

    def _transform_target(
        self,
        fractions: torch.Tensor,
        params: dict[str, Any],
        total_votes: torch.Tensor | None,
    ) -> torch.Tensor:
        smooth = (1 - self.epsilon) * fractions + self.epsilon / fractions.shape[1]
        if self.max_votes is None:
            return smooth
        if total_votes is None:
            raise ValueError(
                f"{self._name}: max_votes={self.max_votes} needs the number of votes "
                "behind each row. Train on vote counts, or leave max_votes out."
            )
        return torch.where((total_votes <= self.max_votes)[:, None], smooth, fractions)
