"""The classifier of signals: 1-D nets from the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from hmsklearn.neural._architecture import registered_architecture
from hmsklearn.neural._base import BaseNeuralClassifier

__all__ = ["WaveformClassifier"]


class WaveformClassifier(BaseNeuralClassifier):
    """Train a 1-D net on signals and the votes about them.

    Parameters
    ----------
    architecture : str or callable, default="resnet1d_gru"
        Name of a registered net (:func:`hmsklearn.nets.list_nets`), or a class that is
        called as ``cls(n_chans=..., n_outputs=..., n_times=...)`` and gives logits,
        such as those of braindecode. The class must be importable where a fitted
        estimator is loaded.
    architecture_params : dict, optional
        Further parameters of the architecture, for instance ``{"width": 8}``.
    %(shared_parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; the torch module is ``net_.module_``.
    classes_ : ndarray of shape (n_classes,)
        Labels in column order.
    device_ : str
        Device that it trained on, or predicts on after loading.
    n_features_in_ : int
        Number of channels.
    input_shape_ : tuple of int
        Shape of one window.
    n_iter_ : int
        Number of epochs that ran.
    %(shared_attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for unusable data or parameters and when training diverges.
    RuntimeError
        In ``fit``, if the device asked for is absent.

    Notes
    -----
    `X` has shape ``(n_windows, n_channels, n_times)``, any float or whole-number
    type, no NaN; the net computes in float32. On a CPU the same `random_state` gives
    the same probabilities bit by bit (with the same number of torch threads), and
    the caller's random state is left alone. Pickles hold the weights and nothing of
    the training; they load without a GPU and without a network.

    References
    ----------
    Soft targets and KL loss: all prize winners of HMS, for instance 2nd place
    (discussion 492254). The default net: public ResNet1D-GRU notebooks.

    Examples
    --------
    Two kinds of waves in noise:

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(24) % 2
    >>> t = np.arange(100) / 100
    >>> X = np.sin(2 * np.pi * np.where(y, 20, 5)[:, None, None] * t)
    >>> X = X + 0.1 * rng.standard_normal((24, 3, 100))
    >>> clf = WaveformClassifier(
    ...     architecture_params={"width": 8, "gru_hidden": 0}, classes="infer",
    ...     batch_size=8, lr=5e-3, random_state=0)
    >>> clf.fit(X, y).predict(X[:4])
    array([0, 1, 0, 1])
    """

    _ndim = (3,)

    def __init__(
        self,
        architecture: str | Callable[..., nn.Module] = "resnet1d_gru",
        *,
        architecture_params: dict[str, Any] | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.architecture = architecture
        self.architecture_params = architecture_params

    def _architecture(
        self, input_shape: tuple[int, ...], n_outputs: int
    ) -> tuple[Callable[..., nn.Module], dict[str, Any]]:
        return registered_architecture(
            self.architecture,
            self.architecture_params,
            input_shape,
            n_outputs,
            ndim=3,
            caller=type(self).__name__,
        )

    def _architecture_name(self) -> str:
        name = getattr(self.architecture, "__name__", self.architecture)
        return f"architecture {name!r}"
