"""What a fitted classifier does: it predicts, is scored, and can be saved."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import nn

from hmsklearn._params import check_choice, check_integer
from hmsklearn.metrics import kl_divergence
from hmsklearn.neural._device import device_for_loading
from hmsklearn.neural._fit_steps import FitSteps
from hmsklearn.neural._weights import SpentWeights

__all__ = ["FittedNet"]


class FittedNet(ClassifierMixin, FitSteps):
    """Prediction and saving, with the net in ``net_``.

    Examples
    --------
    >>> [name for name in vars(FittedNet) if name.startswith("predict")]
    ['predict_proba', 'predict_logits', 'predict']
    """

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like
            Windows of the shape in ``fit``; one window is enough.

        Returns
        -------
        ndarray of shape (n_windows, n_classes), float64
            Softmax of the net's float32 logits (for `loss` "bce" and "focal" the
            sigmoids, divided by their sum); rows sum to one.

        Raises
        ------
        ValueError
            If `X` is not usable or of another shape than in ``fit``.
        """
        logits = self.predict_logits(X)
        return self.net_.probabilities(torch.from_numpy(logits)).numpy()

    def predict_logits(self, X: Any) -> np.ndarray:
        """Logits of the net, for blends of logits.

        Parameters
        ----------
        X : array-like
            Windows of the shape in ``fit``.

        Returns
        -------
        ndarray of shape (n_windows, n_classes), float32
            Logits.

        Raises
        ------
        ValueError
            If `X` is not usable or of another shape than in ``fit``.
        """
        check_is_fitted(self)
        caller = type(self).__name__
        check_choice(self.engine, "engine", ("torch", "onnx"), caller=caller)
        check_integer(self.batch_size, "batch_size", caller=caller, low=1)
        X = self._check_X(X, fitted=True)
        with self._naming_memory(self.device_):
            logits = self.net_.predict_logits(
                X,
                self.batch_size,
                engine=self.engine,
                name=self._architecture_name(),
            )
        if not np.isfinite(logits).all():
            row = int(np.flatnonzero(~np.isfinite(logits).all(axis=1))[0])
            raise ValueError(
                f"{caller}: the net gave NaN or infinite logits (first for window "
                f"{row}). Check the scale of that window, and whether training "
                "diverged (history_)."
            )
        return logits

    def predict(self, X: Any) -> np.ndarray:
        """Most probable class.

        Parameters
        ----------
        X : array-like
            Windows of the shape in ``fit``.

        Returns
        -------
        ndarray of shape (n_windows,)
            Labels out of ``classes_``.
        """
        prob = self.predict_proba(X)
        return self.classes_[prob.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Negative KL divergence of the competition; greater is better.

        Parameters
        ----------
        X : array-like
            Windows.
        y : array-like
            Votes, in any form that ``fit`` takes.
        sample_weight : array-like of shape (n_windows,), optional
            Weights.

        Returns
        -------
        float
            Negative of :func:`hmsklearn.metrics.kl_divergence`.
        """
        return -float(
            kl_divergence(
                y,
                self.predict_proba(X),
                sample_weight=sample_weight,
                classes=self.classes_.tolist(),
            )
        )

    @property
    def loss_(self) -> nn.Module | None:
        """Loss of the last stage with what it has learned; None if that is nothing."""
        return self.net_.loss_

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what callbacks have gathered."""
        state = dict(super().__getstate__())
        if state.get("callbacks") is not None:
            state["callbacks"] = clone(state["callbacks"], safe=False)
        if "net_" in state and hasattr(state.get("weights"), "get_params"):
            # A second net, of which nothing is needed any more.
            state["weights"] = SpentWeights(type(state["weights"]).__name__)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Put the net on the device asked for, or on the CPU if that is absent."""
        super().__setstate__(state)
        if "net_" in self.__dict__:
            caller = type(self).__name__
            self.device_ = device_for_loading(self.device, caller=caller)
            self.net_.move_to(self.device_)
