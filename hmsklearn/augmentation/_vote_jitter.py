"""VoteJitter: what other experts might have voted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.augmentation._random import uniform
from hmsklearn.augmentation._target_only import TargetAugmentation

__all__ = ["VoteJitter"]


class VoteJitter(TargetAugmentation):
    """Draw the votes of each window anew from its own fractions.

    Parameters
    ----------
    method : {"multinomial", "poisson"}, default="multinomial"
        Whether as many votes are drawn as there were, or a number of votes that itself
        varies around theirs (the count of each class is then Poisson's).
    n_votes : float, default=None
        Number of votes where it is not known.
    max_votes : int, default=56
        Most votes that are drawn; two times the most that a window of HMS has.
    p : float, default=0.5
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
        When applied without `n_votes` to a batch that has no numbers of votes.

    Notes
    -----
    Windows and their numbers of votes stay as they are. A row stays, too, where no vote
    was drawn or the number of votes is NaN and `n_votes` is None. Rows keep summing to
    one. Numbers of votes are rounded.

    References
    ----------
    HMS: vote counts are jittered in the 9th place (discussion 492429), how is not
    published.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import VoteJitter
    >>> jitter = VoteJitter(p=1.0, random_state=0)
    >>> _, y = jitter(np.zeros((2, 1, 4)), np.array([[2, 2], [5, 0]]))
    >>> (y * [[4], [5]]).sum(axis=1).tolist(), y[1].tolist()
    ([4.0, 5.0], [1.0, 0.0])
    """

    def __init__(
        self,
        method: str = "multinomial",
        *,
        n_votes: float | None = None,
        max_votes: int = 56,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.method = method
        self.n_votes = n_votes
        self.max_votes = max_votes

    def _check(self) -> None:
        check_choice(
            self.method, "method", ("multinomial", "poisson"), caller=self._name
        )
        check_integer(self.max_votes, "max_votes", caller=self._name, low=1)
        if self.n_votes is not None:
            check_real(self.n_votes, "n_votes", caller=self._name, low=1)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        n = len(x)
        return {
            "votes": uniform((n, self.max_votes), x, generator),
            "number": uniform((n, 1), x, generator),
        }

    def _transform_target(
        self,
        fractions: torch.Tensor,
        params: dict[str, Any],
        total_votes: torch.Tensor | None,
    ) -> torch.Tensor:
        numbers = self._numbers(fractions, params, total_votes)
        # A vote falls into the class at which the running sum of fractions passes it.
        # Divided by the last one, since rounding must not let empty classes have votes.
        sums = fractions.to(params["votes"].dtype).cumsum(dim=1)
        limits = (sums / sums[:, -1:])[:, None, :-1]
        classes = (params["votes"][..., None] >= limits).sum(dim=2)
        cast = torch.arange(self.max_votes, device=fractions.device) < numbers[:, None]
        counts = torch.zeros_like(fractions).scatter_add_(
            1, classes, cast.to(fractions.dtype)
        )
        totals = counts.sum(dim=1, keepdim=True)
        return torch.where(totals > 0, counts / totals.clamp(min=1), fractions)

    def _numbers(
        self,
        fractions: torch.Tensor,
        params: dict[str, Any],
        total_votes: torch.Tensor | None,
    ) -> torch.Tensor:
        """Say how many votes each window gets; 0 where that is not known."""
        if total_votes is None:
            if self.n_votes is None:
                raise ValueError(
                    f"{self._name}: needs the number of votes behind each row. Train "
                    "on vote counts, or give n_votes."
                )
            total_votes = fractions.new_full((len(fractions),), self.n_votes)
        numbers = total_votes.to(params["number"].dtype)
        numbers = numbers.nan_to_num(nan=self.n_votes or 0.0).round()
        if self.method == "poisson":
            # Poisson's distribution function at 0, 1, 2, ...; its inverse is drawn.
            steps = torch.arange(1.0, self.max_votes + 1, device=numbers.device)
            below = torch.special.gammaincc(steps, numbers[:, None])
            numbers = (params["number"] >= below).sum(dim=1)
        return numbers
