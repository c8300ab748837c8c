"""What a net does with one batch: forward, loss, backward, step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from skorch import NeuralNet
from skorch.utils import TeeGenerator

__all__ = ["BatchSteps"]


class BatchSteps(NeuralNet):
    """The steps of :class:`hmsklearn.neural._net.VoteNet` that see one batch.

    Notes
    -----
    A batch is ``(inputs, fractions)``, where ``inputs`` is a dict of the windows,
    ``"x"``, and of what travels with them. The attributes used here, such as
    ``amp_dtype``, ``channels_last`` and ``scaler_``, are set by the subclass.

    Examples
    --------
    >>> issubclass(BatchSteps, NeuralNet)
    True
    """

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, torch.Tensor]:
        """One optimisation step.

        Parameters
        ----------
        batch : tuple of (dict, Tensor)
            Inputs and vote fractions.
        **fit_params : dict
            Ignored.

        Returns
        -------
        dict
            ``loss`` and ``y_pred`` (logits).
        """
        self.optimizer_.zero_grad(set_to_none=True)
        step = self.train_step_single(batch, **fit_params)
        # Callbacks, clipping for instance, see the true gradients.
        self.scaler_.unscale_(self.optimizer_)
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()
        return step

    def train_step_single(
        self, batch: Any, **fit_params: Any
    ) -> dict[str, torch.Tensor]:
        """Forward and backward pass of one batch.

        Parameters
        ----------
        batch : tuple of (dict, Tensor)
            Inputs and vote fractions.
        **fit_params : dict
            Ignored.

        Returns
        -------
        dict
            ``loss`` and ``y_pred`` (logits).
        """
        self._set_training(True)
        inputs, fractions = batch
        logits = self.infer(inputs)
        loss = self.get_loss(logits, fractions, X=inputs, training=True)
        self.scaler_.scale(loss).backward()
        return {"loss": loss, "y_pred": logits}

    def infer(self, x: Any, **fit_params: Any) -> torch.Tensor:
        """Logits of one batch.

        Parameters
        ----------
        x : Tensor or mapping of str to Tensor
            Windows, or a batch dict.
        **fit_params : dict
            Ignored.

        Returns
        -------
        Tensor of shape (n_windows, n_classes)
            Logits.
        """
        batch = x if isinstance(x, Mapping) else {"x": x}
        batch = {name: self._to_device(value) for name, value in batch.items()}
        # Validation and prediction run in float32, so that what is validated is what
        # predict_proba gives.
        if self.amp_dtype is not None and self.module_.training:
            with torch.autocast(torch.device(self.device).type, dtype=self.amp_dtype):
                return self.module_(batch)
        return self.module_(batch)

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> torch.Tensor:
        """Loss of one batch; weighted in training, plain KL in validation.

        Parameters
        ----------
        y_pred : Tensor of shape (n_windows, n_classes)
            Logits.
        y_true : Tensor of shape (n_windows, n_classes)
            Vote fractions.
        X : mapping of str to Tensor, optional
            The batch dict.
        training : bool, default=False
            Whether this is a training step.

        Returns
        -------
        Tensor
            Scalar.
        """
        weight = X.get("sample_weight") if training and X is not None else None
        if weight is not None:
            weight = self._to_device(weight)
        return self.criterion_(y_pred, self._to_device(y_true), sample_weight=weight)

    def _to_device(self, value: torch.Tensor) -> torch.Tensor:
        if self.channels_last and value.ndim == 4:
            return value.to(
                self.device, non_blocking=True, memory_format=torch.channels_last
            )
        return value.to(self.device, non_blocking=True)
