"""The classifier of films: nets that see a window as a sequence of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from hmsklearn.neural._architecture import registered_architecture
from hmsklearn.neural._base import BaseNeuralClassifier

__all__ = ["VideoClassifier"]


class VideoClassifier(BaseNeuralClassifier):
    """Train a net for films on sequences of images and the votes about them.

    The frames of an EEG are its channels: their spectrograms one after the other, so
    that the net sees which is beside which.

    Parameters
    ----------
    architecture : str or callable, default="x3d_s"
        Name of a registered net for films (``hmsklearn.nets.list_nets(ndim=5)``), or
        a class that is called as ``cls(n_chans=..., n_outputs=..., input_size=...)``,
        `input_size` being ``(n_frames, height, width)``, and gives logits. The class
        must be importable where a fitted estimator is loaded.
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

    Notes
    -----
    `X` has shape ``(n_windows, n_planes, n_frames, height, width)``, any float or
    whole-number type, no NaN; the net computes in float32. ``WindowUnion(...,
    join="frames")`` makes such windows, in a pipeline or as `frontend`. As for
    randomness and saving, see :class:`WaveformClassifier`.

    References
    ----------
    2nd place of HMS (discussion 492254): X3D-L on the spectra of 16 derivations, of
    10 s and of 50 s, as 32 frames. C. Feichtenhofer (2020), X3D.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(16) % 2
    >>> X = rng.standard_normal((16, 1, 4, 32, 32)).astype("float32")
    >>> X[y == 1, :, :, :16] += 2.0
    >>> small = {"backbone": "test_resnet", "n_blocks": 2, "width": 16,
    ...          "drop_rate": 0.0}
    >>> clf = VideoClassifier(
    ...     "encoder_2_5d", architecture_params=small, classes="infer",
    ...     max_epochs=10, batch_size=4, lr=3e-3, random_state=0)
    >>> clf.fit(X, y).predict(X[:4])
    array([0, 1, 0, 1])
    """

    _ndim = (5,)

    def __init__(
        self,
        architecture: str | Callable[..., nn.Module] = "x3d_s",
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
            ndim=5,
            caller=type(self).__name__,
        )

    def _architecture_name(self) -> str:
        name = getattr(self.architecture, "__name__", self.architecture)
        return f"architecture {name!r}"
