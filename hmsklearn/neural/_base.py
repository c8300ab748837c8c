"""The base class of the neural classifiers: their fit and partial_fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from hmsklearn.neural._build import build_net
from hmsklearn.neural._checking import check_parameters
from hmsklearn.neural._device import seeded, training_device
from hmsklearn.neural._fitted import FittedNet
from hmsklearn.neural._plan import plan_stages, plan_update, trained_rows
from hmsklearn.neural._populations import check_populations
from hmsklearn.neural._shared import share_parameters
from hmsklearn.votes import refuse_encoded_votes

__all__ = ["BaseNeuralClassifier"]


class BaseNeuralClassifier(FittedNet):
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

    # Groups and EEGs only decide what is validated on and drawn, and whoever routes
    # them means that.
    __metadata_request__fit = {"groups": True, "eeg_id": True}
    __metadata_request__partial_fit = {"eeg_id": True}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        share_parameters(cls, BaseNeuralClassifier)

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
        if before is None or any(run.start == "fresh" for run in runs):
            # Before a device is taken: each of these trainings takes one itself.
            self._train_parts(data)
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = 3 in self._ndim or self.frontend is not None
        tags.input_tags.allow_nan = self.frontend is not None
        tags.target_tags.multi_output = True
        return tags


# Subclasses get their docstring when they are made; the base class here.
share_parameters(BaseNeuralClassifier, BaseNeuralClassifier)


def _check_given_classes(given: Any, classes: np.ndarray, caller: str) -> None:
    if given is not None and list(given) != classes.tolist():
        raise ValueError(
            f"{caller}: partial_fit got classes={list(given)}, but the parameter "
            f"classes makes them {classes.tolist()}. Set the parameter."
        )
