"""The frontend of a trained net: put in front of it, and taken away again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sklearn.pipeline import Pipeline

from hmsklearn.neural._frontend import Frontend
from hmsklearn.neural._view_frontend import ViewFrontend

__all__ = ["give_frontend", "take_frontend"]

_TOLERANCE = 1e-4


def give_frontend(
    estimator: Any, moved: Pipeline, input_shape: tuple[int, ...] | None
) -> None:
    """Put steps in front of a trained net.

    Parameters
    ----------
    estimator : BaseNeuralClassifier
        The fitted estimator, changed in place. Its parameter ``frontend`` has the
        steps already.
    moved : Pipeline
        The steps.
    input_shape : tuple of int or None
        Shape of one window where they begin.

    Raises
    ------
    ValueError
        If the shape is missing or wrong, the net takes several views, or it would not
        predict the same.
    """
    if input_shape is None:
        raise ValueError(
            "fuse: the pipeline is fitted, and its net needs to know the shape of one "
            "window where the moved steps begin. Give check_on, a few rows of the "
            "pipeline's input, or input_shape, such as (20, 10_000)."
        )
    expected = estimator.input_shape_
    if isinstance(expected, Mapping):
        raise ValueError(
            f"fuse: the net was trained on the views {sorted(expected)}, and steps "
            "that make several views cannot move into it. Give branches a frontend "
            "each, and fit."
        )
    before = Frontend(moved, input_shape, caller="fuse")
    if before.output_shape != tuple(expected):
        raise ValueError(
            f"fuse: windows of shape {tuple(input_shape)} give {before.output_shape} "
            f"behind the moved steps, but the net was trained on {tuple(expected)}. "
            "Give the shape of the windows that the pipeline was fitted on."
        )
    jitter, shape = estimator.net_.module_.jitter, before.input_shape
    if jitter is not None:
        _check_exchange(before, moved, jitter)
        shape = (*shape[:-1], jitter.n_times)
    shared = Frontend(estimator.frontend, shape, caller="fuse")
    _set_frontend(estimator, shared, shape, before.input_shape, "fuse")


def take_frontend(estimator: Any) -> Any:
    """Take the frontend off a trained net.

    Parameters
    ----------
    estimator : BaseNeuralClassifier
        The fitted estimator, changed in place but for its parameters.

    Returns
    -------
    transformer or Pipeline
        What was in front of the net, fitted.

    Raises
    ------
    ValueError
        If the net was trained without one, or would no longer fit.
    """
    module = estimator.net_.module_.frontend
    shared = module.shared if isinstance(module, ViewFrontend) else module
    if shared is None:
        raise ValueError(
            f"unfuse: {type(estimator).__name__} was fitted without a frontend, which "
            "was set later. Fit it again, or set frontend=None."
        )
    shape = shared.output_shape
    _set_frontend(estimator, None, shape, shape, "unfuse")
    return shared.transformer


def _check_exchange(before: Frontend, moved: Pipeline, jitter: Any) -> None:
    """Refuse steps that give something else for windows that are cut before."""
    n_times, whole = jitter.n_times, before.input_shape
    if whole[-1] >= n_times and _exchange(before, moved, jitter):
        return
    raise ValueError(
        f"fuse: WindowJitter(n_times={n_times}) cut what the moved steps "
        f"{[name for name, _ in moved.steps]} gave, and would cut what they are given: "
        "another input than the net was trained on. Fuse before fit, or leave these "
        "steps in the Pipeline (steps=...)."
    )


def _exchange(before: Frontend, moved: Pipeline, jitter: Any) -> bool:
    """Tell whether steps and cutting can be exchanged, on two windows of noise."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((2, *before.input_shape), generator=generator)
    if before.allow_nan:
        # A gap across the edge: what fills it may look at what is cut off.
        start = (x.shape[-1] - jitter.n_times) // 2
        x[1, :, ..., start // 2 : start + jitter.n_times // 2] = torch.nan
    inner_shape = (*before.input_shape[:-1], jitter.n_times)
    try:
        after = Frontend(moved, inner_shape, caller="fuse")
        cut_last = jitter.centre(before(x))
    except ValueError:
        # One of the two is too short.
        return False
    cut_first = after(jitter.centre(x))
    if cut_first.shape != cut_last.shape:
        return False
    peak = float(cut_last.nan_to_num().abs().max()) or 1.0
    return torch.allclose(
        cut_first, cut_last, rtol=0.0, atol=_TOLERANCE * peak, equal_nan=True
    )


def _set_frontend(
    estimator: Any,
    shared: Frontend | None,
    shape: tuple[int, ...],
    input_shape: tuple[int, ...],
    caller: str,
) -> None:
    """Exchange what stands in front of the branches, or of the one backbone."""
    if (
        getattr(estimator, "nan_loss", None)
        and input_shape[0] != (estimator.input_shape_[0])
    ):
        raise ValueError(
            f"{caller}: nan_loss of {type(estimator).__name__} was trained on what is "
            f"missing in {estimator.input_shape_[0]} channels, and would get "
            f"{input_shape[0]}. Move the steps first, and fit then."
        )
    net = estimator.net_
    frontend: Any = shared
    if isinstance(net.module_.frontend, ViewFrontend):
        frontend = net.module_.frontend.with_shared(shared, shape)
    net.module_.frontend = frontend
    # What a pickle of the net builds its module from. Past skorch's __setattr__, which
    # takes a module for one to be trained.
    vars(net)["frontend"] = frontend
    net.module_.eval()
    estimator.input_shape_ = input_shape
    estimator.n_features_in_ = input_shape[0]
