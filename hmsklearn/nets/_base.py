"""What every net of the package can do, whatever its architecture.

The same few methods, named as in timm, let a neural estimator replace a head, take
features out or trade time for memory without knowing which net it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hmsklearn.nets.layers.vote_head import VoteHead

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
    input_size : int or sequence of int
        What follows the channels: the number of samples in time of a signal, height
        and width of an image, number of frames, height and width of a film.

    Attributes
    ----------
    num_features : int
        Width of what ``forward_features`` gives and the head takes.
    head : torch.nn.Module
        From the features to the logits: a linear layer, or what ``reset_head`` was
        asked for; the identity after ``reset_head(0)``.
    input_size : tuple of int
        What follows the channels, also where one number was given.

    Notes
    -----
    Input is ``(n_windows, n_chans, *input_size)``, floating point, without NaN. Output
    is ``(n_windows, n_outputs)`` logits: no softmax. In training a net may instead
    give a :class:`hmsklearn.nets.NetOutput`, which names further things to learn from.

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

    def __init__(
        self, n_chans: int, n_outputs: int, input_size: int | Sequence[int]
    ) -> None:
        super().__init__()
        one = isinstance(input_size, int)
        self.input_size: tuple[int, ...] = (
            (input_size,) if isinstance(input_size, int) else tuple(input_size)
        )
        for name, value in (
            ("n_chans", n_chans),
            ("n_outputs", n_outputs),
            ("n_times" if one else "input_size", min(self.input_size, default=0)),
        ):
            if value < 1:
                raise ValueError(
                    f"{type(self).__name__}: {name}={value} must be at least 1."
                )
        self.n_chans = n_chans
        self.n_outputs = n_outputs
        self.grad_checkpointing = False

    @property
    def n_times(self) -> int:
        """Number of samples in time, or the last axis of an image or film."""
        return self.input_size[-1]

    def reset_head(self, n_outputs: int, **params: Any) -> None:
        """Put a freshly initialised head on the net.

        Parameters
        ----------
        n_outputs : int
            Number of classes; 0 removes the head, so that the net gives features.
        **params : object
            Parameters of :class:`hmsklearn.nets.layers.VoteHead`, for instance
            ``drop_rate=0.5``; a linear layer without any.
        """
        self.n_outputs = n_outputs
        self.head: nn.Module
        if n_outputs == 0:
            self.head = nn.Identity()
        elif params:
            self.head = VoteHead(self.num_features, n_outputs, **params)
        else:
            self.head = nn.Linear(self.num_features, n_outputs)

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
        x : Tensor of shape (n_windows, n_chans, *input_size)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Features.
        """
        raise NotImplementedError

    def forward_head(
        self,
        x: torch.Tensor,
        pre_logits: bool = False,
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map features to logits.

        Parameters
        ----------
        x : Tensor of shape (n_windows, num_features)
            What ``forward_features`` gave.
        pre_logits : bool, default=False
            Whether to stop before the head.
        total_votes : Tensor of shape (n_windows,), optional
            Votes behind each window, for heads that tell few from many.

        Returns
        -------
        Tensor of shape (n_windows, n_outputs)
            Logits, or what enters the head.
        """
        if pre_logits:
            return x
        if isinstance(self.head, VoteHead):
            return self.head(x, total_votes=total_votes)
        return self.head(x)

    def forward(
        self, x: torch.Tensor, total_votes: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Map windows to logits.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, *input_size)
            Windows.
        total_votes : Tensor of shape (n_windows,), optional
            Votes behind each window, for heads that tell few from many in training.

        Returns
        -------
        Tensor of shape (n_windows, n_outputs)
            Logits.

        Raises
        ------
        ValueError
            If the windows have another shape than the net was built for.
        """
        self.check_input(x)
        return self.forward_head(self.forward_features(x), total_votes=total_votes)

    def check_input(self, x: torch.Tensor) -> None:
        """Refuse windows of another shape than the net was built for.

        Parameters
        ----------
        x : Tensor
            Windows.

        Raises
        ------
        ValueError
            If their shape differs.
        """
        expected = (self.n_chans, *self.input_size)
        if tuple(x.shape[1:]) != expected:
            sizes = ", ".join(map(str, expected))
            raise ValueError(
                f"{type(self).__name__}: got input of shape {tuple(x.shape)}, built "
                f"for (n_windows, {sizes}). Build the net with the sizes of the data."
            )
