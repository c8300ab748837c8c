"""Building the module of a net, and seeing one window through it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from hmsklearn.nets.layers import InputNorm
from hmsklearn.neural._data import gather, mean_and_std
from hmsklearn.neural._net import VoteNet
from hmsklearn.neural._prepare import FitData

__all__ = ["build_net", "net_shape", "switch_checkpointing"]

# What a frontend makes is not stored, so its mean and deviation are taken from a part
# of the windows: enough for three digits, which is more than a net notices.
_N_FOR_STATISTICS = 1024


def build_net(
    estimator: Any,
    net: VoteNet,
    data: FitData,
    rows: np.ndarray,
    *,
    again: bool = False,
    start: bool = True,
) -> None:
    """Build the module, set its normalisation, and see one window through it.

    Parameters
    ----------
    estimator : BaseNeuralClassifier
        The estimator.
    net : VoteNet
        Its net, not initialised yet.
    data : FitData
        Its data.
    rows : ndarray of int
        Windows that it is to train on.
    again : bool, default=False
        Whether only the module is built, anew.
    start : bool, default=True
        Whether the net gets the weights to start from. A warm start has its own, and
        must not look for a file or a network.

    Raises
    ------
    ValueError
        If the architecture cannot be built for windows of this shape, or does not
        give logits.
    """
    caller = type(estimator).__name__
    name, shape = estimator._architecture_name(), net_shape(net, data)
    try:
        if again:
            net.initialize_module()
            net.module_.to(net.device)
        else:
            net.initialize()
    except torch.cuda.OutOfMemoryError:
        raise
    except (AssertionError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{caller}: {name} could not be built for windows of shape {shape} "
            f"({type(error).__name__}: {error}). Check its parameters and the size "
            "of the windows."
        ) from error
    except ValueError as error:
        raise ValueError(f"{caller}: {name}: {error}") from error
    if start:
        estimator._load_weights(net)
    net.checkpointing_ = False
    switch_checkpointing(net, estimator.grad_checkpointing, name, caller=caller)
    _set_statistics(net, data.X, rows, caller)
    if start:
        estimator._load_statistics(net)
    _see_one_window(net, data, name, shape, caller)


def net_shape(net: VoteNet, data: FitData) -> Any:
    """Shape of one window of what the net takes, behind the frontend.

    Parameters
    ----------
    net : VoteNet
        The net.
    data : FitData
        The windows.

    Returns
    -------
    tuple of int, or dict of str to it
        The shape.
    """
    if net.frontend is not None:
        return net.frontend.output_shape
    if hasattr(data.X, "keys"):
        return {name: tuple(view.shape[1:]) for name, view in data.X.items()}
    shape = tuple(data.X.shape[1:])
    return shape if net.jitter is None else (*shape[:-1], net.jitter.n_times)


def switch_checkpointing(net: VoteNet, on: bool, name: str, *, caller: str) -> None:
    """Compute activations again in the backward pass, or store them.

    Parameters
    ----------
    net : VoteNet
        The net, with its module.
    on : bool
        Whether they are computed again.
    name : str
        How messages call the architecture.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        If the architecture cannot do it.
    """
    if bool(on) == net.checkpointing_:
        return
    switch = getattr(net.module_.body, "set_grad_checkpointing", None)
    if switch is None:
        raise ValueError(
            f"{caller}: grad_checkpointing=True, but {name} has no "
            "set_grad_checkpointing. Use smaller batches and accumulate."
        )
    try:
        switch(bool(on))
    except ValueError as error:
        raise ValueError(f"{caller}: grad_checkpointing=True: {error}") from None
    net.checkpointing_ = bool(on)


def _set_statistics(net: VoteNet, X: Any, rows: np.ndarray, caller: str) -> None:
    norm = net.module_.norm
    norms = dict(norm.items()) if isinstance(norm, nn.ModuleDict) else {"": norm}
    wanted: dict[str, Any] = {
        name: one for name, one in norms.items() if one.mode == "global"
    }
    if not wanted:
        return
    if net.module_.frontend is None:
        views = X if isinstance(norm, nn.ModuleDict) else {"": X}
        for name, one in wanted.items():
            one.set_statistics(*mean_and_std(views[name], rows))
        return
    _statistics_behind_frontend(net, X, rows, wanted, caller)


def _statistics_behind_frontend(
    net: VoteNet, X: Any, rows: np.ndarray, wanted: dict[str, InputNorm], caller: str
) -> None:
    count = min(rows.size, _N_FOR_STATISTICS)
    some = rows[np.linspace(0, rows.size - 1, count).astype(int)]
    sums = {name: np.zeros(3) for name in wanted}
    origin: dict[str, float] = {}
    with torch.inference_mode():
        for start in range(0, count, net.batch_size):
            inputs = net._on_device(
                {"x": gather(X, some[start : start + net.batch_size])}
            )
            x = net.module_.prepare(inputs["x"])
            for name in wanted:
                values = (x[name] if name else x).double()
                shift = origin.setdefault(name, float(values.mean()))
                values = values - shift
                sums[name] += [
                    values.numel(),
                    float(values.sum()),
                    float(values.square().sum()),
                ]
    for name, one in wanted.items():
        n, total, squares = sums[name]
        mean = total / n
        if not math.isfinite(squares):
            raise ValueError(
                f"{caller}: the frontend{f' of {name!r}' if name else ''} gives NaN or "
                "infinite values. Put a NaNImputer in front of its steps, and check "
                "logarithms of zero."
            )
        deviation = math.sqrt(max(squares / n - mean**2, 0.0))
        one.set_statistics(origin[name] + mean, deviation)


def _see_one_window(
    net: VoteNet, data: FitData, name: str, shape: Any, caller: str
) -> None:
    n_outputs = data.classes.size
    try:
        net.module_.eval()
        with torch.no_grad():
            logits = net.infer({"x": gather(data.X, data.rows[:1])})
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
