"""What mixup and its relatives share: each window gets a partner from its batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_real
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_range
from hmsklearn.augmentation._random import beta, partners, uniform

__all__ = ["PartnerAugmentation"]


class PartnerAugmentation(BaseAugmentation):
    """Base of what mixes two windows; ``"lam"`` is the share that a window keeps."""

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        lam_range: tuple[float, float] | None = None,
        same_class: bool = False,
        after_frontend: bool = False,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.alpha = alpha
        self.lam_range = lam_range
        self.same_class = same_class
        self.after_frontend = after_frontend

    def _check(self) -> None:
        check_real(self.alpha, "alpha", caller=self._name, low=0, low_open=True)
        if self.lam_range is not None:
            check_range(self.lam_range, "lam_range", caller=self._name, low=0, high=1)
        if not isinstance(self.same_class, bool):
            raise ValueError(
                f"{self._name}: same_class must be True or False, got "
                f"{self.same_class!r}."
            )

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, torch.Tensor]:
        n = len(x)
        if self.same_class and context.get("fractions") is None:
            raise ValueError(
                f"{self._name}: same_class=True looks for partners of the same class "
                "and needs the targets. Pass y, or fractions in the batch."
            )
        fractions = context["fractions"] if self.same_class else None
        partner = partners(n, x, generator, fractions)
        if self.lam_range is None:
            lam = beta(n, self.alpha, x, generator)
        else:
            low, high = check_range(self.lam_range, "lam_range", caller=self._name)
            lam = uniform(n, x, generator, low, high)
        params = {"partner": partner, "lam": lam}
        if context.get("sample_weight") is not None:
            params["sample_weight"] = context["sample_weight"]
        return params

    def _mix(self, values: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        """Average a window's values and its partner's, weighted by the shares."""
        return _mixture(values, params["partner"], params["lam"])

    def _mix_target(
        self, fractions: torch.Tensor, params: dict[str, Any]
    ) -> torch.Tensor:
        """Average targets, so that each teaches as much as its own weight says."""
        lam, weight = params["lam"], params.get("sample_weight")
        if weight is not None:
            # The mixture weighs lam * w + (1 - lam) * w', see _transform_row.
            total = _mixture(weight, params["partner"], lam)
            share = lam.to(weight.dtype) * weight / total
            lam = torch.where(total > 0, share, lam.to(weight.dtype))
        return _mixture(fractions, params["partner"], lam)

    def _transform_target(
        self,
        fractions: torch.Tensor,
        params: dict[str, Any],
        total_votes: torch.Tensor | None,
    ) -> torch.Tensor:
        return self._mix_target(fractions, params)

    def _transform_row(
        self, values: torch.Tensor, params: dict[str, Any]
    ) -> torch.Tensor:
        return self._mix(values, params)


def _mixture(
    values: torch.Tensor, partner: torch.Tensor, lam: torch.Tensor
) -> torch.Tensor:
    lam = lam.to(values.dtype).reshape(-1, *(1,) * (values.ndim - 1))
    return lam * values + (1 - lam) * values.index_select(0, partner)
