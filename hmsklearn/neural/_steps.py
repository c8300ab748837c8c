"""What a net does with one batch: augment, forward, loss, backward, step."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import Any

import torch
from skorch import NeuralNet
from skorch.utils import TeeGenerator

from hmsklearn.nets import NetOutput
from hmsklearn.neural._feature_mixing import forward_mixed
from hmsklearn.neural._weight_perturbation import WeightPerturbation, read_awp

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

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """One optimisation step, or a part of it where gradients are accumulated.

        Parameters
        ----------
        batch : tuple of (dict, Tensor)
            Inputs and vote fractions.
        **fit_params : dict
            Ignored.

        Returns
        -------
        dict
            ``loss``, ``y_pred`` (logits) and ``fractions``, what was learned from:
            augmentations change the votes too.
        """
        # The last batches of an epoch may be fewer than `accumulate`, the very last
        # one smaller: every window of a step counts the same.
        first = self.batch_in_epoch_ - self.batch_in_epoch_ % self.accumulate
        together = self.batch_sizes_[first : first + self.accumulate]
        of_step = self.batch_sizes_[self.batch_in_epoch_] / sum(together)
        self.share_ = of_step * self.part_
        if self.batch_in_epoch_ == first:
            self.optimizer_.zero_grad(set_to_none=True)
            self.seen_ = 0.0
            self.perturbation_ = self._perturbation_of(self.step_offset_ + first)
            self.kept_ = []
        self.seen_ += self.share_
        step = self.train_step_single(batch, **fit_params)
        self.batch_in_epoch_ += 1
        complete = self.batch_in_epoch_ % self.accumulate == 0
        if complete or self.batch_in_epoch_ == self.n_batches_:
            self._optimize(batch)
        return step

    #: Share of this process in the batch.
    part_ = 1.0
    #: What moves the weights in this step, and the batches that are gone through twice.
    perturbation_: WeightPerturbation | None = None
    kept_: Any = ()

    def _perturbation_of(self, step: int) -> WeightPerturbation | None:
        awp = read_awp(self.awp, self.max_epochs, caller=self.caller)
        on = awp is not None and awp.is_on(step, self.n_steps_, self.max_epochs)
        return awp if on else None

    def _optimize(self, batch: Any) -> None:
        parameters = [
            p for group in self.optimizer_.param_groups for p in group["params"]
        ]
        self.workers_.sum_gradients(parameters)
        if self.perturbation_ is not None:
            # Behind the sum, so that all batches and processes move to one place.
            with self.perturbation_.applied(self.module_):
                self.optimizer_.zero_grad(set_to_none=True)
                for inputs, share in self.kept_:
                    self._backward(inputs, share)
            self.kept_ = ()
            self.workers_.sum_gradients(parameters)
        self.workers_.average_statistics(self.module_, self.seen_)
        # Callbacks, and clipping, see the true gradients.
        self.scaler_.unscale_(self.optimizer_)
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        if self.clip_grad is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self.clip_grad)
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()
        if self.ema_ is not None and self.ema_.per == "step":
            self.ema_.update(self.module_)

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
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
            ``loss``, ``y_pred`` (logits) and ``fractions``.
        """
        self._set_training(True)
        inputs = self._on_device(batch[0])
        inputs["fractions"] = self._to_device(batch[1])
        inputs = self._augmented(inputs, after_frontend=False)
        if "nan_share" in self.module_.extra_inputs:
            inputs["nan_share"] = self.module_.frontend.missing(inputs["x"])
        inputs["x"] = self._images_last(self.module_.prepare(inputs["x"]))
        inputs = self._augmented(inputs, after_frontend=True)
        if self.perturbation_ is not None:
            self.kept_.append((inputs, self.share_))
        return self._backward(inputs, self.share_)

    def _backward(self, inputs: dict[str, Any], share: float) -> dict[str, Any]:
        with self._precision():
            output, inputs = self._train_forward(inputs)
        fractions = inputs["fractions"]
        loss = self.get_loss(output, fractions, X=inputs, training=True)
        self.scaler_.scale(loss * share).backward()
        logits = output.logits if isinstance(output, NetOutput) else output
        logits = logits.mean(dim=1) if logits.ndim == 3 else logits
        return {"loss": loss, "y_pred": logits, "fractions": fractions}

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Logits of one batch.

        Parameters
        ----------
        x : Tensor or mapping of str to Tensor
            Windows, or a batch dict.
        **fit_params : dict
            Ignored.

        Returns
        -------
        Tensor of shape (n_windows, n_classes), or NetOutput
            Logits; in training also what the net gives beside them.
        """
        inputs = self._on_device(x if isinstance(x, Mapping) else {"x": x})
        inputs["x"] = self._images_last(self.module_.prepare(inputs["x"]))
        # Validation and prediction run in float32, so that what is validated is what
        # predict_proba gives.
        with self._precision():
            return self.module_(inputs, prepared=True)

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> torch.Tensor:
        """Loss of one batch; plain KL in validation.

        Parameters
        ----------
        y_pred : Tensor of shape (n_windows, n_classes), or NetOutput
            Logits.
        y_true : Tensor of shape (n_windows, n_classes)
            Vote fractions.
        X : mapping of str to Tensor, optional
            The batch dict.
        training : bool, default=False
            Whether this is a training step: the estimator's loss, weighted, with what
            the net adds to it. Else the competition's KL.

        Returns
        -------
        Tensor
            Scalar.
        """
        fractions = self._to_device(y_true)
        if not training:
            logits = y_pred.logits if isinstance(y_pred, NetOutput) else y_pred
            return self.kl_of(logits, fractions)
        rows = {**({} if X is None else X), "fractions": fractions}

        def loss_of(logits: torch.Tensor, rows: Mapping[str, Any]) -> torch.Tensor:
            weight, votes = (
                None if value is None else self._to_device(value)
                for value in (rows.get("sample_weight"), rows.get("total_votes"))
            )
            # Of every sample where the head has several: their losses are averaged.
            losses = [
                self.criterion_(
                    sample, rows["fractions"], sample_weight=weight, total_votes=votes
                )
                for sample in (logits.unbind(1) if logits.ndim == 3 else (logits,))
            ]
            return torch.stack(losses).mean() if len(losses) > 1 else losses[0]

        heads = y_pred.aux if isinstance(y_pred, NetOutput) else {}
        if isinstance(self.aux_weight, Mapping):
            self._check_aux_weight(heads)
        if not isinstance(y_pred, NetOutput):
            return loss_of(y_pred, rows)
        loss, total = loss_of(y_pred.logits, rows), 1.0
        # Auxiliary heads read features that were not mixed.
        of_aux = rows.get("unmixed", rows)
        for name, logits in y_pred.aux.items():
            share = self.weight_of_aux(name)
            loss = loss + share * loss_of(logits, of_aux)
            total += share
        loss = loss / total
        for extra in y_pred.losses.values():
            loss = loss + extra
        return loss

    def _check_aux_weight(self, heads: Mapping[str, torch.Tensor]) -> None:
        unknown = sorted(set(self.aux_weight) - set(heads))
        if unknown:
            raise ValueError(
                f"{self.caller}: aux_weight names {unknown}, and the auxiliary heads "
                f"of the net are {list(heads)}. Name those."
            )

    def kl_of(self, logits: torch.Tensor, fractions: torch.Tensor) -> torch.Tensor:
        """Mean KL divergence of what would be predicted, as the competition counts it.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net.
        fractions : Tensor of shape (n_windows, n_classes)
            Vote fractions.

        Returns
        -------
        Tensor
            Scalar.
        """
        prob = self.probabilities(logits.float()).clamp(1e-15, 1 - 1e-15)
        cost = torch.xlogy(fractions, fractions) - fractions * prob.log()
        return cost.sum(dim=1).mean()

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities of logits, as the loss that they were trained with reads them.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net.

        Returns
        -------
        Tensor of shape (n_windows, n_classes), float64
            Probabilities; rows sum to one.
        """
        if self.reader_ is None:
            return torch.softmax(logits.double(), dim=1)
        reader = self.reader_
        learned = [*reader.parameters(), *reader.buffers()]
        if any(one.device != logits.device for one in learned):
            # What a loss has learned stays on the CPU once it is trained.
            reader = copy.deepcopy(reader).to(logits.device)
        return reader.probabilities(logits)

    def weight_of_aux(self, name: str) -> float:
        """Weight of an auxiliary head's loss.

        Parameters
        ----------
        name : str
            Name of the head.

        Returns
        -------
        float
            The estimator's `aux_weight`, of this head where it tells them apart.
        """
        if isinstance(self.aux_weight, Mapping):
            return float(self.aux_weight.get(name, 0.0))
        return float(self.aux_weight)

    # -- on the device ----------------------------------------------------------

    def _train_forward(self, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        mixers = [one for one in self.augment if getattr(one, "of_features", False)]
        if mixers:
            return forward_mixed(self.module_, inputs, mixers)
        module = self.module_ if self.compiled_ is None else self.compiled_
        # What is no input stays out of what is compiled.
        given = {name: value for name, value in inputs.items() if name != "fractions"}
        return module(given, prepared=True), inputs

    def _augmented(
        self, inputs: dict[str, Any], *, after_frontend: bool
    ) -> dict[str, Any]:
        for augmentation in self.augment:
            if getattr(augmentation, "of_features", False):
                continue  # see _train_forward
            if bool(augmentation.after_frontend) == after_frontend:
                with torch.no_grad():
                    inputs = augmentation.apply(inputs)
        return inputs

    def _precision(self) -> Any:
        if self.amp_dtype is None or not self.module_.training:
            return contextlib.nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=self.amp_dtype)

    def _on_device(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: {key: self._to_device(one) for key, one in value.items()}
            if isinstance(value, Mapping)
            else self._to_device(value)
            for name, value in inputs.items()
        }

    def _to_device(self, value: torch.Tensor) -> torch.Tensor:
        value = value.to(self.device, non_blocking=True)
        # Windows stored in 16 bits travel as such.
        return value.float() if value.dtype == torch.float16 else value

    def _images_last(self, x: Any) -> Any:
        if not self.channels_last:
            return x
        if isinstance(x, Mapping):
            return {name: self._images_last(value) for name, value in x.items()}
        if x.ndim != 4:
            return x
        return x.contiguous(memory_format=torch.channels_last)
