"""Contrastive learning: two encodings of one window belong together."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["InfoNCE"]


class InfoNCE(nn.Module):
    """Symmetric contrastive loss between two sets of features of the same windows.

    Parameters
    ----------
    in_features_a, in_features_b : int
        Numbers of features.
    width : int, default=128
        Width of the space that both are projected to.
    temperature : float, default=0.07
        What the cosines are divided by.

    Raises
    ------
    ValueError
        If a width or the temperature is not positive.

    Notes
    -----
    Input ``(n_windows, in_features_a)`` and ``(n_windows, in_features_b)``, row i of
    both the same window; output is a scalar. Both are projected linearly and scaled to
    length one. Of the cosines of all pairs, over the temperature, each row and each
    column has to find its diagonal entry: the loss is the mean of the two
    cross-entropies, 0 for a batch of one window and about ``log(n_windows)`` before
    anything is learned. It is computed in float32 under autocast too.

    Every other window of a batch counts as something else, also one of the same EEG,
    which may overlap it nearly wholly. With ``sampling="eeg"`` a classifier takes one
    window of each EEG in an epoch, so that none of them meet.

    References
    ----------
    A. van den Oord, Y. Li and O. Vinyals (2018), Representation learning with
    contrastive predictive coding. A. Radford and others (2021), for the symmetric form.
    9th place of HMS: raw EEG against its spectrogram (discussion 492429).

    Examples
    --------
    >>> loss = InfoNCE(8, 5, width=4)
    >>> loss(torch.randn(3, 8), torch.randn(3, 5)).shape
    torch.Size([])
    """

    def __init__(
        self,
        in_features_a: int,
        in_features_b: int,
        *,
        width: int = 128,
        temperature: float = 0.07,
    ) -> None:
        super().__init__()
        if min(in_features_a, in_features_b, width) < 1 or not temperature > 0:
            raise ValueError(
                f"InfoNCE: in_features_a={in_features_a}, in_features_b="
                f"{in_features_b} and width={width} must be at least 1, and "
                f"temperature={temperature} above 0."
            )
        self.temperature = temperature
        self.project_a = nn.Linear(in_features_a, width)
        self.project_b = nn.Linear(in_features_b, width)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Compare two encodings of a batch.

        Parameters
        ----------
        a : Tensor of shape (n_windows, in_features_a)
            Features.
        b : Tensor of shape (n_windows, in_features_b)
            Other features of the same windows.

        Returns
        -------
        Tensor
            The loss, a scalar.
        """
        first = functional.normalize(self.project_a(a).float(), dim=1)
        second = functional.normalize(self.project_b(b).float(), dim=1)
        with torch.autocast(a.device.type, enabled=False):
            scores = first @ second.T / self.temperature
        same = torch.arange(len(scores), device=scores.device)
        return 0.5 * (
            functional.cross_entropy(scores, same)
            + functional.cross_entropy(scores.T, same)
        )
