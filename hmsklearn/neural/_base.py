"""The scikit-learn side of the neural classifiers: fit, predict, save."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback
from torch import nn

from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.metrics import kl_divergence
from hmsklearn.neural._callbacks import BestEpoch, LearningRate, Progress
from hmsklearn.neural._data import WindowDataset, check_batchable
from hmsklearn.neural._device import (
    device_for_loading,
    resolve_amp,
    resolve_device,
    seeded,
)
from hmsklearn.neural._net import VoteNet, softmax
from hmsklearn.neural._prepare import prepare_fit
from hmsklearn.votes import refuse_encoded_votes

__all__ = ["BaseNeuralClassifier"]


class BaseNeuralClassifier(ClassifierMixin, BaseEstimator):
    """Base class of the classifiers that train a torch net on votes.

    A subclass stores its own parameters and those named in
    :class:`~hmsklearn.neural.WaveformClassifier`, sets the class attributes below and
    writes ``_architecture``; ``_load_weights`` where it has weights to start from.

    Notes
    -----
    The net is a :class:`skorch.NeuralNet` held in ``net_``. After ``fit`` it has no
    optimizer, no callbacks and no data; it predicts and can be saved.
    """

    #: Accepted numbers of axes of X.
    _ndim: tuple[int, ...] = (3,)
    #: Whether the net runs with images laid out channels last.
    _channels_last = False

    # Groups only decide the validation split, and whoever routes them means that.
    __metadata_request__fit = {"groups": True}

    def _architecture(
        self, input_shape: tuple[int, ...], n_outputs: int
    ) -> tuple[Callable[..., nn.Module], dict[str, Any]]:
        """Check the architecture's parameters; return its builder and arguments."""
        raise NotImplementedError

    def _load_weights(self, body: nn.Module, factory_params: dict[str, Any]) -> None:
        """Put weights to start from into a freshly built backbone."""

    def _architecture_name(self) -> str:
        """How error messages call the architecture."""
        raise NotImplementedError

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> BaseNeuralClassifier:
        """Train a fresh net.

        Parameters
        ----------
        X : array-like
            Windows, see the class docstring for the shape; without NaN. Read from
            where it is, batch by batch: memory maps and 16-bit numbers are welcome.
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

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If data or parameters are not usable, or the loss becomes NaN.
        RuntimeError
            If the device or the weights asked for are not there.

        Warns
        -----
        UserWarning
            With early stopping on windows without groups.
        """
        caller = type(self).__name__
        refuse_encoded_votes(caller, classes=self.classes)
        self._check_params()
        device = resolve_device(self.device, caller=caller)
        amp_dtype = resolve_amp(self.amp, device, caller=caller)
        X = check_batchable(X, caller=caller, ndim=self._ndim)
        random_state = check_random_state(self.random_state)
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        train, valid, classes = prepare_fit(
            X,
            y,
            sample_weight,
            groups,
            X_val,
            y_val,
            classes=self.classes,
            vote_weight=self.vote_weight,
            validation_fraction=(
                self.validation_fraction if self.early_stopping else None
            ),
            random_state=random_state,
            caller=caller,
        )
        factory, factory_params = self._architecture(X.shape[1:], classes.size)
        net = VoteNet(
            factory,
            factory_params,
            self.input_norm,
            caller=caller,
            channels_last=self._channels_last,
            amp_dtype=amp_dtype,
            weight_decay=self.weight_decay,
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            iterator_train__pin_memory=device.startswith("cuda"),
            iterator_valid__pin_memory=device.startswith("cuda"),
            callbacks=self._callbacks(caller),
            device=device,
            verbose=int(self.verbose),
        )
        with seeded(seed, device):
            self._build(net, train)
            best = dict(net.callbacks_)["best_epoch"] if self.early_stopping else None
            self._train(net, train, valid)
        self.net_ = net
        self.device_ = device
        self.classes_ = classes
        self.n_features_in_ = X.shape[1]
        self.input_shape_ = X.shape[1:]
        self.history_ = _history(net)
        self.n_iter_ = len(self.history_)
        self.best_epoch_ = None if best is None else best.epoch_
        if net.interrupted_:
            # The estimator is usable as it is; a script must still be stoppable.
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
            Softmax of the net's float32 logits; rows sum to one.

        Raises
        ------
        ValueError
            If `X` is not usable or of another shape than in ``fit``.
        """
        check_is_fitted(self)
        caller = type(self).__name__
        X = check_batchable(
            X, caller=caller, ndim=self._ndim, n_channels=self.n_features_in_
        )
        self._check_shape(X, "X")
        logits = self.net_.predict_logits(X, self.batch_size)
        if not np.isfinite(logits).all():
            row = int(np.flatnonzero(~np.isfinite(logits).all(axis=1))[0])
            raise ValueError(
                f"{caller}: the net gave NaN or infinite logits (first for window "
                f"{row}). Check the scale of that window, and whether training "
                "diverged (history_)."
            )
        return softmax(torch.from_numpy(logits)).numpy()

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

    def _check_params(self) -> None:
        caller = type(self).__name__
        for name in ("max_epochs", "batch_size", "patience"):
            check_integer(getattr(self, name), name, caller=caller, low=1)
        check_real(self.lr, "lr", caller=caller, low=0, low_open=True)
        check_real(self.min_lr, "min_lr", caller=caller, low=0, high=self.lr)
        check_real(self.weight_decay, "weight_decay", caller=caller, low=0)
        check_real(self.warmup, "warmup", caller=caller, low=0, high=1, high_open=True)
        check_real(
            self.validation_fraction,
            "validation_fraction",
            caller=caller,
            low=0,
            high=1,
            low_open=True,
            high_open=True,
        )
        check_choice(self.schedule, "schedule", ("cosine", "constant"), caller=caller)
        check_choice(
            self.input_norm, "input_norm", ("global", "window", None), caller=caller
        )
        _check_callbacks(self.callbacks, caller)

    def _callbacks(self, caller: str) -> list[Any]:
        callbacks: list[Any] = [
            ("learning_rate", LearningRate(self.schedule, self.warmup, self.min_lr)),
            *(self.callbacks or []),
        ]
        if self.verbose:
            callbacks.append(("fit_progress", Progress(caller)))
        if self.early_stopping:
            callbacks.append(("best_epoch", BestEpoch(self.patience)))
        return callbacks

    def _build(self, net: VoteNet, train: WindowDataset) -> None:
        """Build the module, set its normalisation, and see one window through it."""
        caller = type(self).__name__
        name, shape = self._architecture_name(), train.window_shape
        try:
            net.initialize()
        except torch.cuda.OutOfMemoryError:
            raise
        except (AssertionError, RuntimeError, TypeError) as error:
            raise ValueError(
                f"{caller}: {name} could not be built for windows of shape {shape} "
                f"({type(error).__name__}: {error}). Check its parameters and the size "
                "of the windows."
            ) from error
        self._load_weights(net.module_.body, net.factory_params)
        if self.input_norm == "global":
            net.module_.norm.set_statistics(*train.mean_and_std())
        n_outputs = train[:1][1].shape[1]
        try:
            net.module_.eval()
            with torch.no_grad():
                logits = net.infer(train[:1][0])
        except torch.cuda.OutOfMemoryError:
            raise
        except (AssertionError, RuntimeError, ValueError, IndexError) as error:
            raise ValueError(
                f"{caller}: {name} cannot process windows of shape {shape} "
                f"({type(error).__name__}: {error}). They may be too small for its "
                "strides or not a multiple of its patches."
            ) from error
        got = getattr(logits, "shape", type(logits).__name__)
        if got != (1, n_outputs):
            raise ValueError(
                f"{caller}: the output of {name} for one window is {got}, expected a "
                f"tensor of shape (1, {n_outputs}) with its logits."
            )

    def _train(
        self, net: VoteNet, train: WindowDataset, valid: WindowDataset | None
    ) -> None:
        try:
            net.fit_datasets(train, valid)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise ValueError(
                f"{type(self).__name__}: {self._architecture_name()} shrinks windows "
                f"of shape {train.window_shape} to one point, and batch normalisation "
                f"cannot train on a batch of one (batch_size={self.batch_size}). Raise "
                "batch_size or give larger windows."
            ) from error

    # -- helpers ----------------------------------------------------------------

    def _check_shape(self, X: np.ndarray, name: str) -> None:
        if X.shape[1:] != self.input_shape_:
            caller = type(self).__name__
            raise ValueError(
                f"{caller}: windows of {name} have shape {X.shape[1:]}, but {caller} "
                f"was fitted on windows of shape {self.input_shape_}. Give them the "
                "same length and preprocessing."
            )

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what callbacks have gathered."""
        state = dict(super().__getstate__())
        if state.get("callbacks") is not None:
            state["callbacks"] = clone(state["callbacks"], safe=False)
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
        tags.input_tags.three_d_array = 3 in self._ndim
        tags.target_tags.multi_output = True
        return tags


def _check_callbacks(callbacks: Any, caller: str) -> None:
    if callbacks is None:
        return
    if not isinstance(callbacks, (list, tuple)):
        raise TypeError(
            f"{caller}: callbacks must be a list of skorch callbacks or of (name, "
            f"callback) pairs, got {type(callbacks).__name__}."
        )
    for item in callbacks:
        callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        is_class = isinstance(callback, type) and issubclass(callback, Callback)
        if not (is_class or isinstance(callback, Callback)):
            raise TypeError(
                f"{caller}: callbacks holds {item!r}, which is neither a skorch "
                "callback nor a (name, callback) pair."
            )


def _history(net: VoteNet) -> list[dict[str, Any]]:
    """One plain dict an epoch; an epoch that was broken off is left out."""
    return [
        {
            "epoch": row["epoch"],
            "train_loss": float(row["train_loss"]),
            "valid_kl": float(row.get("valid_loss", math.nan)),
            "lr": row["lr"],
            "duration": row["dur"],
        }
        for row in net.history
        if "lr" in row
    ]
