"""What every net of the package can do, whatever its architecture.

The same few methods, named as in timm, let a neural estimator replace a head, take
features out or trade time for memory without knowing which net it holds.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["BaseNet"]


class BaseNet(nn.Module):
    """Base class of the nets: windows in, logits out.

    A subclass calls ``super().__init__`` with its sizes, builds its layers, sets
    ``num_features`` and then calls ``reset_head``. It writes ``forward_features``.

    Parameters
    ----------
    n_chans : int
        Number of channels (axis 1 of the input).
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time (axis 2 of the input).

    Attributes
    ----------
    num_features : int
        Width of what ``forward_features`` gives and the head takes.
    head : torch.nn.Module
        Linear layer from the features to the logits; the identity after
        ``reset_head(0)``.

    Notes
    -----
    Input is ``(n_windows, n_chans, n_times)``, floating point, without NaN. Output
    is ``(n_windows, n_outputs)`` logits: no softmax.

    References
    ----------
    R. Wightman, PyTorch Image Models (timm): the names of the methods.

    Examples
    --------
    >>> class Mean(BaseNet):
    ...     def __init__(self, n_chans, n_outputs, n_times):
    ...         super().__init__(n_chans, n_outputs, n_times)
    ...         self.num_features = n_chans
    ...         self.reset_head(n_outputs)
    ...
    ...     def forward_features(self, x):
    ...         return x.mean(dim=2)
    >>> Mean(n_chans=3, n_outputs=6, n_times=8)(torch.zeros(2, 3, 8)).shape
    torch.Size([2, 6])
    """

    num_features: int

    def __init__(self, n_chans: int, n_outputs: int, n_times: int) -> None:
        super().__init__()
        for name, value in (
            ("n_chans", n_chans),
            ("n_outputs", n_outputs),
            ("n_times", n_times),
        ):
            if value < 1:
                raise ValueError(
                    f"{type(self).__name__}: {name}={value} must be at least 1."
                )
        self.n_chans = n_chans
        self.n_outputs = n_outputs
        self.n_times = n_times
        self.grad_checkpointing = False

    def reset_head(self, n_outputs: int) -> None:
        """Put a freshly initialised head on the net.

        Parameters
        ----------
        n_outputs : int
            Number of classes; 0 removes the head, so that the net gives features.
        """
        self.n_outputs = n_outputs
        self.head = (
            nn.Linear(self.num_features, n_outputs) if n_outputs > 0 else nn.Identity()
        )

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute activations in the backward pass instead of storing them.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.

        Raises
        ------
        ValueError
            If the architecture has no part that can be recomputed.
        """
        raise ValueError(
            f"{type(self).__name__} has no gradient checkpointing. Use smaller batches."
        )

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Features.
        """
        raise NotImplementedError

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Map features to logits.

        Parameters
        ----------
        x : Tensor of shape (n_windows, num_features)
            What ``forward_features`` gave.
        pre_logits : bool, default=False
            Whether to stop before the last linear layer.

        Returns
        -------
        Tensor of shape (n_windows, n_outputs)
            Logits, or what enters the last layer.
        """
        return x if pre_logits else self.head(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to logits.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, n_outputs)
            Logits.

        Raises
        ------
        ValueError
            If the windows have another shape than the net was built for.
        """
        if x.ndim != 3 or tuple(x.shape[1:]) != (self.n_chans, self.n_times):
            raise ValueError(
                f"{type(self).__name__}: got input of shape {tuple(x.shape)}, built "
                f"for (n_windows, {self.n_chans}, {self.n_times}). Build the net with "
                "the sizes of the data."
            )
        return self.forward_head(self.forward_features(x))
