"""The classifier of images: registered nets, such as transformers on patches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from hmsklearn.neural._architecture import registered_architecture
from hmsklearn.neural._base import BaseNeuralClassifier

__all__ = ["ImageClassifier"]


class ImageClassifier(BaseNeuralClassifier):
    """Train a registered net for images on images and the votes about them.

    Parameters
    ----------
    architecture : str or callable, default="ast_tiny"
        Name of a registered net for images (``hmsklearn.nets.list_nets(ndim=4)``), or
        a class that is called as ``cls(n_chans=..., n_outputs=..., input_size=...)``,
        `input_size` being ``(height, width)``, and gives logits. The class must be
        importable where a fitted estimator is loaded.
    architecture_params : dict, optional
        Further parameters of the architecture.
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
        Number of planes (of channels, with a frontend that takes signals).
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

    See Also
    --------
    TimmClassifier : Any 2-D backbone of timm on the whole image.

    Notes
    -----
    `X` has shape ``(n_windows, n_planes, height, width)``, any float or whole-number
    type, no NaN; the net computes in float32, channels last. As for randomness and
    saving, see :class:`WaveformClassifier`.

    References
    ----------
    Y. Gong, Y.-A. Chung and J. Glass (2021), AST: Audio Spectrogram Transformer. In
    HMS, images that are more than one backbone's: 5th place (discussion 492652: chain
    neck), 15th place (a set of ten images, pooled by attention).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(24) % 2
    >>> X = rng.standard_normal((24, 1, 32, 32)).astype("float32")
    >>> X[y == 1, :, :16] += 2.0
    >>> clf = ImageClassifier(
    ...     "ast_tiny", architecture_params={"embed_dim": 24, "depth": 2},
    ...     classes="infer", max_epochs=6, batch_size=6, lr=3e-3, random_state=0)
    >>> clf.fit(X, y).predict(X[:4])
    array([0, 1, 0, 1])
    """

    _ndim = (4,)
    _channels_last = True

    def __init__(
        self,
        architecture: str | Callable[..., nn.Module] = "ast_tiny",
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
            ndim=4,
            caller=type(self).__name__,
        )

    def _architecture_name(self) -> str:
        name = getattr(self.architecture, "__name__", self.architecture)
        return f"architecture {name!r}"
