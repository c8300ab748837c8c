"""ManifoldMixup: weighted means of two windows' features and of their targets."""

from __future__ import annotations

from typing import Any

import torch

from hmsklearn.augmentation._partner import PartnerAugmentation

__all__ = ["ManifoldMixup"]


class ManifoldMixup(PartnerAugmentation):
    """Mix the features of each window with those of another one of its batch.

    Parameters
    ----------
    alpha : float, default=1.0
        The share that a window keeps is drawn from Beta(alpha, alpha): 1 makes all
        shares alike, less leaves mostly one of the two windows.
    lam_range : (float, float), default=None
        Draw the share evenly between these bounds instead.
    same_class : bool, default=False
        Whether partners come from windows with the same first class; a window that is
        alone stays as it is.
    p : float, default=0.5
        Probability that a window is changed.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    See Also
    --------
    Mixup : Mixes the windows themselves.

    Notes
    -----
    A classifier applies it between ``forward_features`` and ``forward_head`` of its
    net, which nets of this package have: to ``(n_windows, num_features)``, with several
    views to their joined features. Targets, weights and numbers of votes are mixed
    alike. Auxiliary heads of single views read features of their own, which stay as
    they are, and learn the targets as they were. Training with it does not run through
    ``torch.compile``. Outside a classifier it takes an array of features.

    References
    ----------
    V. Verma et al., Manifold Mixup: Better Representations by Interpolating Hidden
    States, ICML 2019. HMS: with 0.4, kazumax of the 5th place (discussion 492652).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import ManifoldMixup
    >>> features = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    >>> mixup = ManifoldMixup(lam_range=(0.75, 0.75), p=1.0, random_state=1)
    >>> mixed, fractions = mixup(features, [[1.0, 0.0], [0.0, 1.0]])
    >>> np.allclose(mixed[:, 0], fractions[:, 1])
    True
    """

    after_frontend = True
    of_features = True
    _ndim = (2,)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        lam_range: tuple[float, float] | None = None,
        same_class: bool = False,
        p: float = 0.5,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            alpha,
            lam_range=lam_range,
            same_class=same_class,
            after_frontend=True,
            p=p,
            random_state=random_state,
        )

    def _check_input(self, x: torch.Tensor) -> None:
        if x.ndim != 2:
            raise ValueError(
                f"{self._name}: takes features of shape (n_windows, n_features), got "
                f"shape {tuple(x.shape)}. Give it to a classifier's augment, which "
                "applies it within the net, or use Mixup on windows."
            )
        super()._check_input(x)

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        return self._mix(x, params)
