"""From the name of a registered net to what builds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from hmsklearn.nets import list_nets, net_config
from hmsklearn.nets._registry import check_net_params

__all__ = ["registered_architecture"]

_KINDS = {3: "signals", 4: "images", 5: "films"}


def registered_architecture(
    architecture: Any,
    architecture_params: dict[str, Any] | None,
    input_shape: tuple[int, ...],
    n_outputs: int,
    *,
    ndim: int,
    caller: str,
) -> tuple[Callable[..., nn.Module], dict[str, Any]]:
    """Check an architecture and its parameters.

    Parameters
    ----------
    architecture : str or callable
        Name of a registered net, or a class.
    architecture_params : dict or None
        Its parameters.
    input_shape : tuple of int
        Shape of one window.
    n_outputs : int
        Number of classes.
    ndim : {3, 4, 5}
        Number of axes of what the estimator takes.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    factory : callable
        The class.
    params : dict
        Its arguments.

    Raises
    ------
    ValueError
        If the name or a parameter is unknown, or the net is for other input.
    TypeError
        If it is neither a name nor a class.

    Examples
    --------
    >>> factory, params = registered_architecture(
    ...     "resnet1d_gru", {"width": 8}, (4, 300), 6, ndim=3, caller="doctest")
    >>> factory.__name__, params["n_times"], params["width"]
    ('ResNet1DGRU', 300, 8)
    """
    params = dict(architecture_params or {})
    n_chans, *size = input_shape
    if isinstance(architecture, str):
        try:
            config = net_config(architecture)
        except ValueError as error:
            raise ValueError(f"{caller}: {error}") from None
        if config.ndim != ndim:
            raise ValueError(
                f"{caller}: {architecture!r} is a net for {_KINDS[config.ndim]}, and "
                f"{caller} trains on {_KINDS[ndim]}. Take one of "
                f"{list_nets(ndim=ndim)}."
            )
        check_net_params(config.net, params, caller=caller)
        sizes = config.sizes(n_chans, n_outputs, size)
        return config.net, {**sizes, **config.params, **params}
    if not callable(architecture) or isinstance(architecture, nn.Module):
        raise TypeError(
            f"{caller}: architecture must be a registered name or a class, got "
            f"{type(architecture).__name__}. A net that exists already cannot "
            "be built anew for every fit: give its class, and its parameters as "
            "architecture_params."
        )
    check_net_params(architecture, params, caller=caller)
    last = {"n_times": size[0]} if ndim == 3 else {"input_size": tuple(size)}
    return architecture, {
        "n_chans": n_chans,
        "n_outputs": n_outputs,
        **last,
        **params,
    }
