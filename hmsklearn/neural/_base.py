"""The scikit-learn side of the neural classifiers: fit, predict, save."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from hmsklearn._params import check_choice, check_integer
from hmsklearn.metrics import kl_divergence
from hmsklearn.neural._build import build_net, net_shape, switch_checkpointing
from hmsklearn.neural._checking import check_parameters
from hmsklearn.neural._checkpoint import Checkpoint
from hmsklearn.neural._course import Course, StageRun
from hmsklearn.neural._data import check_batchable
from hmsklearn.neural._device import (
    device_for_loading,
    naming_memory,
    resolve_amp,
    seeded,
    training_device,
)
from hmsklearn.neural._distributed import find_workers
from hmsklearn.neural._fingerprint import fingerprint
from hmsklearn.neural._frontend import Frontend
from hmsklearn.neural._history import histories, rows_of
from hmsklearn.neural._net import VoteNet
from hmsklearn.neural._one_process import OneProcess
from hmsklearn.neural._persistence import pack_weights
from hmsklearn.neural._plan import (
    find_jitter,
    plan_stages,
    plan_update,
    trained_rows,
)
from hmsklearn.neural._populations import check_populations
from hmsklearn.neural._prepare import FitData, prepare_fit
from hmsklearn.neural._shared import share_parameters
from hmsklearn.neural._weights import (
    SpentWeights,
    copy_statistics,
    fitted_source,
    load_weights,
)
from hmsklearn.votes import refuse_encoded_votes

__all__ = ["BaseNeuralClassifier"]

# Parameters that change how the result is come by, and not the result.
_NOT_OF_THE_RESULT = (
    "callbacks",
    "checkpoint",
    "checkpoint_every",
    "compile",
    "device",
    "engine",
    "resume",
    "verbose",
)


# Filled in front of the classifier, the ends of the record could not be told.
_JITTER_REMEDY = (
    "With WindowJitter give frontend=NaNImputer(), or a pipeline that begins with it, "
    "so that windows are filled behind the cut."
)


class BaseNeuralClassifier(ClassifierMixin, BaseEstimator):
    """Base class of the classifiers that train a torch net on votes.

    A subclass takes its own parameters and ``**shared`` and hands the latter on, sets
    the class attributes below and writes ``_architecture`` and ``_architecture_name``.

    Parameters
    ----------
    %(shared_parameters)s

    Notes
    -----
    The net is a :class:`skorch.NeuralNet` held in ``net_``. After ``fit`` it has no
    optimizer, no callbacks and no data; it predicts and can be saved.
    """

    device_: str
    evaluations_: pd.DataFrame
    history_: pd.DataFrame
    n_iter_: int
    _n_begun: int

    #: Accepted numbers of axes of what the net takes.
    _ndim: tuple[int, ...] = (3,)
    #: Whether the net runs with images laid out channels last.
    _channels_last = False

    # Groups and EEGs only decide what is validated on and drawn, and whoever routes
    # them means that.
    __metadata_request__fit = {"groups": True, "eeg_id": True}
    __metadata_request__partial_fit = {"eeg_id": True}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        share_parameters(cls, BaseNeuralClassifier)

    def __init__(
        self,
        *,
        classes: str | Sequence[Any] | None = "hms",
        frontend: Any = None,
        input_norm: str | None = "global",
        head: dict[str, Any] | None = None,
        weights: Any = None,
        loss: Any = "kl",
        loss_params: dict[str, Any] | None = None,
        aux_weight: float | dict[str, float] = 1.0,
        max_epochs: int = 10,
        batch_size: int = 32,
        accumulate: int = 1,
        optimizer: Any = "adamw",
        optimizer_params: dict[str, Any] | None = None,
        lr: float = 1e-3,
        backbone_lr: float | dict[str, float] | None = None,
        layer_decay: float | None = None,
        weight_decay: float = 1e-2,
        schedule: str | Callable[[int, int], float] | Sequence[float] = "cosine",
        warmup: float = 0.0,
        min_lr: float = 0.0,
        clip_grad: float | None = None,
        awp: dict[str, float] | None = None,
        ema: Any = None,
        vote_weight: str | Callable[..., Any] | None = None,
        sampling: Any = None,
        target: str = "window",
        augment: Sequence[Any] | None = None,
        stages: Sequence[dict[str, Any]] | None = None,
        grad_checkpointing: bool = False,
        compile: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        validation_min_votes: float | None = None,
        patience: int = 5,
        evaluations_per_epoch: int = 1,
        warm_start: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 1,
        resume: bool = False,
        distributed: bool = False,
        amp: str | None = "auto",
        engine: str = "torch",
        device: str = "auto",
        callbacks: list[Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.classes = classes
        self.frontend = frontend
        self.input_norm = input_norm
        self.head = head
        self.weights = weights
        self.loss = loss
        self.loss_params = loss_params
        self.aux_weight = aux_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.lr = lr
        self.backbone_lr = backbone_lr
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.warmup = warmup
        self.min_lr = min_lr
        self.clip_grad = clip_grad
        self.awp = awp
        self.ema = ema
        self.vote_weight = vote_weight
        self.sampling = sampling
        self.target = target
        self.augment = augment
        self.stages = stages
        self.grad_checkpointing = grad_checkpointing
        self.compile = compile
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_min_votes = validation_min_votes
        self.patience = patience
        self.evaluations_per_epoch = evaluations_per_epoch
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.resume = resume
        self.distributed = distributed
        self.amp = amp
        self.engine = engine
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def _architecture(
        self, input_shape: Any, n_outputs: int
    ) -> tuple[Callable[..., nn.Module], dict[str, Any]]:
        """Check the architecture's parameters; return its builder and arguments."""
        raise NotImplementedError

    def _architecture_name(self) -> str:
        """How error messages call the architecture."""
        raise NotImplementedError

    def _weights_name(self) -> str:
        """Name by which a folder's file of weights is found."""
        name = getattr(self, "backbone", None) or getattr(self, "architecture", "net")
        return str(getattr(name, "__name__", name))

    def _load_weights(self, net: VoteNet) -> None:
        """Put weights to start from into a freshly built net."""
        load_weights(
            net.module_.body,
            self.weights,
            name=self._weights_name(),
            caller=type(self).__name__,
            backbone_params=net.factory_params.get("backbone_params"),
        )

    def _load_statistics(self, net: VoteNet) -> None:
        """Normalise as the weights to start from have learned to expect."""
        source = fitted_source(self.weights, caller=type(self).__name__)
        if source is not None:
            copy_statistics(source.module_.norm, net.module_.norm)

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        eeg_id: Any = None,
    ) -> BaseNeuralClassifier:
        """Train a fresh net.

        Parameters
        ----------
        X : array-like
            Windows, see the class docstring for the shape; without NaN, unless a
            frontend fills it. Read from where it is, batch by batch: memory maps and
            16-bit numbers are welcome.
        y : array-like
            Vote counts or fractions of shape (n_windows, n_classes), or hard labels
            of shape (n_windows,); see :func:`hmsklearn.votes.check_votes`.
        sample_weight : array-like of shape (n_windows,), optional
            Weights of the windows in the loss, multiplied with what `vote_weight`
            gives. Only relations matter. Windows of weight zero are left out.
        groups : array-like of shape (n_windows,), optional
            Patient of every window. With early stopping no patient is both trained
            and validated on.
        X_val, y_val : array-like, optional
            Windows and votes to validate on instead of a part of `X`. A Pipeline
            hands them on untransformed.
        eeg_id : array-like of shape (n_windows,), optional
            EEG that every window is from, for `sampling` and `target` by EEG.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If data or parameters are not usable, or the loss becomes NaN.
        RuntimeError
            If the device or the weights asked for are not there, or its memory is too
            small for a batch.

        Warns
        -----
        UserWarning
            With early stopping on windows without groups, a class without votes, or a
            batch larger than the data.
        """
        caller = type(self).__name__
        refuse_encoded_votes(caller, classes=self.classes)
        check_parameters(self)
        workers = self._workers()
        X = self._check_X(X)
        random_state = check_random_state(self.random_state)
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        data = self._prepare(
            X, y, sample_weight, groups, X_val, y_val, eeg_id, random_state
        )
        runs = plan_stages(self, data, quiet=not workers.is_main)
        before = self._weights_before(data)
        workers.check_same(lambda: self._mark(data), caller=caller)
        device = workers.device(self.device)
        with training_device(device, caller=caller) as device:
            net = self._new_net(X, data, device)
            net.workers_ = workers
            with (
                workers.naming_loss(caller),
                seeded(seed, device),
                self._naming_memory(device, net),
            ):
                build_net(self, net, data, trained_rows(runs), start=before is None)
                if before is not None:
                    self._go_on_from(net, before)
                workers.draw_apart(seed, device)
                self._run(net, runs, data)
        self._take(net, data, device)
        # Ctrl-C may come before the last stage.
        self.best_epoch_ = getattr(runs[-1].best, "epoch_", None)
        if net.interrupted_:
            # The estimator is usable as it is; a script must still be stoppable.
            raise KeyboardInterrupt
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        eeg_id: Any = None,
    ) -> BaseNeuralClassifier:
        """Go through the windows once, with the rate at `lr`.

        The first call builds a net; later ones go on with it and with the state of its
        optimizer. Neither schedule nor stages nor validation take part.

        Parameters that have changed since count from this call on: `lr` and
        `weight_decay` for the optimizer as it is; with another `loss`, `optimizer`,
        `backbone_lr` or `layer_decay` it starts anew. What the net is made of stays.

        Parameters
        ----------
        X : array-like
            Windows.
        y : array-like
            Votes, in any form that ``fit`` takes.
        sample_weight : array-like of shape (n_windows,), optional
            Weights.
        classes : sequence of labels, optional
            Must be the estimator's own where given: its parameter `classes` says them.
        eeg_id : array-like of shape (n_windows,), optional
            EEG that every window is from, for `sampling` and `target` by EEG.

        Returns
        -------
        self : object
            The estimator, ready to predict.

        Raises
        ------
        ValueError
            If data or parameters are not usable, or the loss becomes NaN. The net is
            as it was before then, but for its optimizer, which starts anew.
        """
        caller = type(self).__name__
        refuse_encoded_votes(caller, classes=self.classes)
        check_parameters(self)
        workers = self._workers()
        going_on = hasattr(self, "net_")
        X = self._check_X(X, fitted=going_on)
        random_state = check_random_state(self.random_state)
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        data = self._prepare(
            X,
            y,
            sample_weight,
            *(None,) * 3,
            eeg_id,
            random_state,
            validate=False,
            labels=self.classes_ if going_on else None,
        )
        _check_given_classes(classes, data.classes, caller)
        run = plan_update(self, data)
        workers.check_same(lambda: self._mark(data), caller=caller)
        device = workers.device(self.device)
        with training_device(device, caller=caller) as device:
            if going_on:
                net, seed = self.net_, seed + self._n_begun
                self._prepare_update(net, device)
            else:
                net = self._new_net(X, data, device)
            with (
                workers.naming_loss(caller),
                seeded(seed, device),
                self._naming_memory(device, net),
            ):
                if not going_on:
                    build_net(self, net, data, trained_rows([run]))
                    # Built anew with this estimator's parameters, see run_update.
                    net.optimizer_ = None  # type: ignore[assignment]
                net.workers_ = workers
                workers.draw_apart(seed, device)
                check_populations(net.module_, run.train, caller=caller)
                net.set_stage(run.settings).run_update(run.train, run.callbacks)
        self._take(net, data, device)
        self.best_epoch_ = None
        if net.interrupted_:
            raise KeyboardInterrupt
        return self

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

    # -- steps of fit -----------------------------------------------------------

    def _check_X(
        self, X: Any, *, caller: str | None = None, fitted: bool = False
    ) -> Any:
        """Check windows, against those of ``fit`` if it has been."""
        caller = caller or type(self).__name__
        given = self.frontend is not None
        X = check_batchable(
            X,
            caller=caller,
            ndim=(3, 4, 5) if given else self._ndim,
            n_channels=self.n_features_in_ if fitted else None,
            allow_nan=given,
            nan_remedy=None if given or find_jitter(self) is None else _JITTER_REMEDY,
        )
        if fitted and X.shape[1:] != self.input_shape_:
            raise ValueError(
                f"{caller}: windows of X have shape {X.shape[1:]}, but {caller} was "
                f"fitted on windows of shape {self.input_shape_}. Give them the same "
                "length and preprocessing."
            )
        return X

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        groups: Any,
        X_val: Any,
        y_val: Any,
        eeg_id: Any,
        random_state: np.random.RandomState,
        *,
        validate: bool = True,
        labels: np.ndarray | None = None,
    ) -> FitData:
        fraction = self.validation_fraction if self._validates() and validate else None
        return prepare_fit(
            X,
            y,
            sample_weight,
            groups,
            X_val,
            y_val,
            eeg_id,
            classes=self.classes if labels is None else labels.tolist(),
            check_X=self._check_X,
            validation_fraction=fraction,
            validation_min_votes=self.validation_min_votes,
            random_state=random_state,
            caller=type(self).__name__,
        )

    def _validates(self) -> bool:
        """Whether any stage stops early."""
        return self.early_stopping or any(
            stage.get("early_stopping", False) for stage in self.stages or ()
        )

    def _make_frontend(self, X: Any) -> nn.Module | None:
        """Build what runs between the windows and the net."""
        if self.frontend is None:
            return None
        caller = type(self).__name__
        shape = _cut(X.shape[1:], find_jitter(self))
        frontend = Frontend(self.frontend, shape, caller=f"{caller}: frontend")
        if len(frontend.output_shape) + 1 not in self._ndim:
            raise ValueError(
                f"{caller}: the frontend gives windows of shape "
                f"{frontend.output_shape}, the net takes {self._ndim[0] - 1} axes. "
                "Change the frontend's last step."
            )
        return frontend

    def _net_shape(self, X: Any, frontend: Any, jitter: Any) -> Any:
        """Shape of one window of what the net takes."""
        if frontend is not None:
            return frontend.output_shape
        return _cut(X.shape[1:], jitter)

    def _norm_mode(self) -> Any:
        """How the input is normalised; by view where there are several."""
        return self.input_norm

    def _naming_memory(self, device: str, net: VoteNet | None = None) -> Any:
        def batch_size() -> int:
            # A stage may have one of its own.
            return self.batch_size if net is None else net.batch_size

        return naming_memory(type(self).__name__, batch_size, device)

    def _go_on_from(self, net: VoteNet, before: dict[str, torch.Tensor]) -> None:
        try:
            net.module_.load_state_dict(before)
        except RuntimeError as error:
            raise ValueError(
                f"{type(self).__name__}: warm_start=True goes on from the weights of "
                f"the fit before, and they do not fit {self._architecture_name()} as "
                f"it is now ({error}). Set warm_start=False, or put its parameters "
                "back."
            ) from error
        net.take_loss(self.net_)

    def _run(self, net: VoteNet, runs: list[StageRun], data: FitData) -> None:
        """Run the stages, from a checkpoint where one is asked for and there."""
        checkpoint = self._checkpoint(net, data)
        saved = None
        if checkpoint is not None and self.resume:
            # Processes on other machines need not see the folder.
            saved = checkpoint.load() if net.workers_.is_main else None
            saved = net.workers_.from_main(saved)
        course = Course(
            net,
            runs,
            checkpoint=checkpoint,
            every=self.checkpoint_every,
            rebuild=lambda: self._fresh_state(net, data, trained_rows(runs)),
        )
        try:
            course.run(saved)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise ValueError(
                f"{type(self).__name__}: {self._architecture_name()} shrinks windows "
                f"of shape {net_shape(net, data)} to one point, and batch "
                "normalisation cannot train on a batch of one (batch_size="
                f"{self.batch_size}). Raise batch_size or give larger windows."
            ) from error

    def _new_net(self, X: Any, data: FitData, device: str) -> VoteNet:
        amp_dtype = resolve_amp(self.amp, device, caller=type(self).__name__)
        frontend = self._make_frontend(X)
        jitter = find_jitter(self)
        shape = self._net_shape(X, frontend, jitter)
        factory, factory_params = self._architecture(shape, data.classes.size)
        return VoteNet(
            factory,
            factory_params,
            self._norm_mode(),
            caller=type(self).__name__,
            frontend=frontend,
            head=self.head,
            jitter=jitter,
            channels_last=self._channels_last,
            amp_dtype=amp_dtype,
            compiled=self.compile,
            iterator_train__pin_memory=device.startswith("cuda"),
            iterator_valid__pin_memory=device.startswith("cuda"),
            device=device,
        )

    def _prepare_update(self, net: VoteNet, device: str) -> None:
        """Let a trained net train as the parameters say now, and where."""
        caller = type(self).__name__
        amp_dtype = resolve_amp(self.amp, device, caller=caller)
        if device != self.device_:
            net.move_to(device)
            net.bring_training_along()
            self.device_ = device
        switch_checkpointing(
            net, self.grad_checkpointing, self._architecture_name(), caller=caller
        )
        pinned = device.startswith("cuda")
        net.train_with(amp_dtype, compiled=self.compile, pin_memory=pinned)
        if not net.history:
            # A net that was saved has forgotten it, the estimator has not.
            net.history.extend(rows_of(self.history_, self.evaluations_, self._n_begun))

    def _weights_before(self, data: FitData) -> dict[str, torch.Tensor] | None:
        """Weights that a warm start goes on from."""
        if not (self.warm_start and hasattr(self, "net_")):
            return None
        same = np.array_equal(data.classes, self.classes_)
        if not same or _shape_of(data.X) != self.input_shape_:
            raise ValueError(
                f"{type(self).__name__}: warm_start=True goes on from a fit to windows "
                f"of shape {self.input_shape_} and classes {self.classes_.tolist()}, "
                f"but got {_shape_of(data.X)} and {data.classes.tolist()}. Give the "
                "same ones, or set warm_start=False."
            )
        return self.net_.module_.state_dict()

    def _fresh_state(
        self, net: VoteNet, data: FitData, rows: np.ndarray
    ) -> dict[str, torch.Tensor]:
        """Weights of a net that has not seen the data, for stages that start anew."""
        trained = net.module_
        try:
            build_net(self, net, data, rows, again=True)
            return net.module_.state_dict()
        finally:
            net.module_ = trained

    def _checkpoint(self, net: VoteNet, data: FitData) -> Checkpoint | None:
        if self.checkpoint is None:
            return None
        # Those of an estimator or a file, or of the fit before.
        start = [net.module_.body, *([] if net.loss_ is None else [net.loss_])]
        mark = self._mark(data, *(pack_weights(one.state_dict()).data for one in start))
        return Checkpoint(self.checkpoint, type(self).__name__, mark)

    def _mark(self, data: FitData, *more: np.ndarray) -> str:
        """Name a training by everything that its result depends on."""
        params = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in _NOT_OF_THE_RESULT
        }
        valid = data.valid
        return fingerprint(
            params,
            data.X,
            data.fractions,
            data.total_votes,
            data.sample_weight,
            data.eeg_id,
            data.rows,
            None if valid is None else valid.y,
            *more,
            X_val=None if valid is None else valid.windows,
        )

    def _workers(self) -> OneProcess:
        return find_workers(
            self.distributed,
            self.device,
            self.random_state,
            caller=type(self).__name__,
        )

    def _take(self, net: VoteNet, data: FitData, device: str) -> None:
        self.net_ = net
        self.device_ = device
        self.classes_ = data.classes
        self.input_shape_ = _shape_of(data.X)
        self.n_features_in_ = _n_channels(data.X)
        self.history_, self.evaluations_ = histories(net)
        self.n_iter_ = len(self.history_)
        # With those that were broken off: no two passes draw the same.
        self._n_begun = len(net.history)

    @property
    def loss_(self) -> nn.Module | None:
        """Loss of the last stage with what it has learned; None if that is nothing."""
        return self.net_.loss_

    # -- saving -----------------------------------------------------------------

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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = 3 in self._ndim or self.frontend is not None
        tags.input_tags.allow_nan = self.frontend is not None
        tags.target_tags.multi_output = True
        return tags


# Subclasses get their docstring when they are made; the base class here.
share_parameters(BaseNeuralClassifier, BaseNeuralClassifier)


def _cut(shape: tuple[int, ...], jitter: Any) -> tuple[int, ...]:
    return tuple(shape) if jitter is None else (*shape[:-1], jitter.n_times)


def _shape_of(X: Any) -> Any:
    if hasattr(X, "keys"):
        return {name: tuple(view.shape[1:]) for name, view in X.items()}
    return tuple(X.shape[1:])


def _n_channels(X: Any) -> int:
    if hasattr(X, "keys"):
        return sum(view.shape[1] for view in X.values())
    return X.shape[1]


def _check_given_classes(given: Any, classes: np.ndarray, caller: str) -> None:
    if given is not None and list(given) != classes.tolist():
        raise ValueError(
            f"{caller}: partial_fit got classes={list(given)}, but the parameter "
            f"classes makes them {classes.tolist()}. Set the parameter."
        )
