"""OneOf: a choice between augmentations, window by window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._random import constant, spread, uniform

__all__ = ["OneOf"]


class OneOf(BaseAugmentation):
    """Apply one of several augmentations to each window.

    Parameters
    ----------
    augmentations : sequence of augmentations
        The choice. Each still has its own probability `p` once it is chosen.
    weights : sequence of float, default=None
        How often each is chosen, relative to the others; equally often by default.
    p : float, default=1.0
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    See Also
    --------
    AugmentationList : Applies one after the other.

    Notes
    -----
    All of them must act on the same side of the frontend and keep the size of the
    windows. What mixes windows takes its partners as they were before. `views` goes
    before the `views` of the augmentations.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import OneOf, PolarityFlip, TimeReverse
    >>> either = OneOf([PolarityFlip(p=1.0), TimeReverse(p=1.0)], random_state=0)
    >>> X = np.tile(np.array([1.0, 2.0]), (50, 1, 1))
    >>> np.unique(either(X), axis=0).tolist()
    [[[-1.0, -2.0]], [[2.0, 1.0]]]
    """

    def __init__(
        self,
        augmentations: Sequence[BaseAugmentation],
        *,
        weights: Sequence[float] | None = None,
        p: float = 1.0,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.augmentations = augmentations
        self.weights = weights

    @property
    def after_frontend(self) -> bool:  # type: ignore[override]
        """Whether its augmentations act behind the frontend."""
        # What is no augmentation is refused by check, which asks for this first.
        return any(getattr(a, "after_frontend", False) for a in self.augmentations)

    def _check(self) -> None:
        items = self.augmentations
        if len(items) == 0 or not all(isinstance(a, BaseAugmentation) for a in items):
            raise ValueError(
                f"{self._name}: augmentations must be a list of one or more "
                f"augmentations, got {items!r}."
            )
        if any(item.of_features for item in items):
            raise ValueError(
                f"{self._name}: ManifoldMixup acts on features and the others on "
                "windows. Give it to augment on its own, with its own p."
            )
        if len({item.after_frontend for item in items}) > 1:
            raise ValueError(
                f"{self._name}: some of its augmentations act before and some after "
                "the frontend. Choose among those of one side."
            )
        self._shares()
        for item in items:
            item.check()

    def _shares(self) -> tuple[float, ...]:
        """Sum the probabilities up, without the last one, where it is always 1."""
        n = len(self.augmentations)
        weights = np.ones(n) if self.weights is None else np.array(self.weights, float)
        good = weights.shape == (n,) and np.isfinite(weights).all()
        if not (good and (weights >= 0).all() and weights.sum() > 0):
            raise ValueError(
                f"{self._name}: weights must be {n} numbers of at least 0, one for "
                f"each augmentation, got {self.weights!r}."
            )
        return tuple((weights.cumsum() / weights.sum())[:-1].tolist())

    def _check_input(self, x: torch.Tensor) -> None:
        """Leave that to the augmentations."""

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        position = uniform((len(x), 1), x, generator)
        limits = constant(self._shares(), x.device)
        choice = (position >= limits).sum(dim=1)
        each = [item.draw(x, generator, **context) for item in self.augmentations]
        for i, params in enumerate(each):
            params["active"] = params["active"] & (choice == i)
        return {"choice": choice, "each": each}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        out = x
        for i, (item, own) in enumerate(
            zip(self.augmentations, params["each"], strict=True)
        ):
            new = item.transform(x, own, view)
            if new.shape != x.shape:
                raise ValueError(
                    f"{self._name}: {type(item).__name__} changes the size of the "
                    "windows, which the others do not. Apply it on its own."
                )
            out = torch.where(spread(params["choice"] == i, x), new, out)
        return out

    def _transform_target(
        self,
        fractions: torch.Tensor,
        params: dict[str, Any],
        total_votes: torch.Tensor | None,
    ) -> torch.Tensor:
        out = fractions
        for i, (item, own) in enumerate(
            zip(self.augmentations, params["each"], strict=True)
        ):
            new = item.transform_target(fractions, own, total_votes)
            out = torch.where((params["choice"] == i)[:, None], new, out)
        return out

    def _transform_row(
        self, values: torch.Tensor, params: dict[str, Any]
    ) -> torch.Tensor:
        out = values
        for i, (item, own) in enumerate(
            zip(self.augmentations, params["each"], strict=True)
        ):
            new = item.transform_row(values, own)
            out = torch.where(params["choice"] == i, new, out)
        return out
