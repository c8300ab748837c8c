"""The list of architectures by name; a new one is one file and one decorator.

A name stands for a class and the parameters that make it one published net, so that
variants of an architecture (X3D-S, -M and -L) are names of one class.
"""

from __future__ import annotations

import difflib
import fnmatch
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import nn

__all__ = [
    "NetConfig",
    "create_net",
    "get_net",
    "list_nets",
    "net_config",
    "register_net",
]

NetT = TypeVar("NetT", bound=Callable[..., nn.Module])

#: Names of the parameters that come from the data. The last one holds what follows the
#: channels: nets of signals call it n_times, the others input_size.
SIZES = ("n_chans", "n_outputs", "n_times", "input_size")


@dataclass(frozen=True)
class NetConfig:
    """What a registered name stands for.

    Attributes
    ----------
    net : callable
        The class.
    ndim : int
        Number of axes of its input: 3 for signals ``(n, channels, times)``, 4 for
        images ``(n, planes, height, width)``, 5 for films ``(n, planes, frames, height,
        width)``.
    params : dict
        Parameters that the name implies; others may be given and go before them.

    Examples
    --------
    >>> config = net_config("x3d_l")
    >>> config.net.__name__, config.ndim, config.params
    ('X3D', 5, {'depth_factor': 5.0})
    """

    net: Callable[..., nn.Module]
    ndim: int = 3
    params: dict[str, Any] = field(default_factory=dict)

    def sizes(
        self, n_chans: int, n_outputs: int, input_size: int | Sequence[int]
    ) -> dict[str, Any]:
        """Name the three sizes as the class does.

        Parameters
        ----------
        n_chans : int
            Number of channels or planes.
        n_outputs : int
            Number of classes.
        input_size : int or sequence of int
            What follows the channels.

        Returns
        -------
        dict
            Keyword arguments.
        """
        size = (input_size,) if isinstance(input_size, int) else tuple(input_size)
        last = (
            {"n_times": size[0]}
            if self.ndim == 3 and len(size) == 1
            else {"input_size": size}
        )
        return {"n_chans": n_chans, "n_outputs": n_outputs, **last}


_NETS: dict[str, NetConfig] = {}


def register_net(name: str, *, ndim: int = 3, **params: Any) -> Callable[[NetT], NetT]:
    """Register an architecture under a name; a class decorator.

    Parameters
    ----------
    name : str
        Name by which estimators find it.
    ndim : {3, 4, 5}, default=3
        Number of axes of the input: signals, images, films.
    **params : object
        Parameters that the name implies. Several decorators on one class register
        its variants.

    Returns
    -------
    callable
        Decorator that returns the class unchanged. The class is called as
        ``cls(n_chans=, n_outputs=, n_times=, **params)``, with `input_size`, a tuple,
        in the place of `n_times` for images and films.

    Raises
    ------
    ValueError
        If another class has the name already.

    Examples
    --------
    >>> @register_net("doctest_flat")
    ... class Flat(nn.Sequential):
    ...     def __init__(self, n_chans, n_outputs, n_times):
    ...         super().__init__(
    ...             nn.Flatten(), nn.Linear(n_chans * n_times, n_outputs)
    ...         )
    >>> "doctest_flat" in list_nets()
    True
    """

    def register(net: NetT) -> NetT:
        entry = _NETS.get(name)
        known = None if entry is None else entry.net
        # A module that is imported anew (a notebook cell run twice) may replace
        # itself; two different architectures under one name may not.
        same = known is not None and (
            getattr(known, "__qualname__", known),
            getattr(known, "__module__", None),
        ) == (getattr(net, "__qualname__", net), getattr(net, "__module__", None))
        if known is not None and not same:
            raise ValueError(
                f"register_net: the name {name!r} is taken by {known!r}. Choose "
                "another one."
            )
        _NETS[name] = NetConfig(net, ndim, params)
        return net

    return register


def list_nets(pattern: str = "*", *, ndim: int | None = None) -> list[str]:
    """Names of the registered architectures.

    Parameters
    ----------
    pattern : str, default="*"
        Shell-style pattern that the names must match.
    ndim : {3, 4, 5}, optional
        Only nets of signals, images or films.

    Returns
    -------
    list of str
        Sorted names.

    Examples
    --------
    >>> list_nets("resnet1d*")
    ['resnet1d_gru']
    """
    return sorted(
        name
        for name in fnmatch.filter(_NETS, pattern)
        if ndim is None or _NETS[name].ndim == ndim
    )


def get_net(name: str) -> Callable[..., nn.Module]:
    """Class of a registered architecture.

    Parameters
    ----------
    name : str
        Its name.

    Returns
    -------
    callable
        The class.

    Raises
    ------
    ValueError
        If there is no such name; the message lists the nearest ones.

    Examples
    --------
    >>> get_net("resnet1d_gru").__name__
    'ResNet1DGRU'
    """
    return net_config(name).net


def net_config(name: str) -> NetConfig:
    """Class, number of axes and implied parameters of a registered architecture.

    Parameters
    ----------
    name : str
        Its name.

    Returns
    -------
    NetConfig
        What the name stands for.

    Raises
    ------
    ValueError
        If there is no such name; the message lists the nearest ones.

    Examples
    --------
    >>> net_config("resnet1d_gru").ndim
    3
    """
    try:
        return _NETS[name]
    except KeyError:
        close = difflib.get_close_matches(str(name), _NETS, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise ValueError(
            f"The architecture {name!r} is not known. {hint}Known are {list_nets()}."
        ) from None


def create_net(
    name: str,
    n_chans: int,
    n_outputs: int,
    input_size: int | Sequence[int],
    **params: Any,
) -> nn.Module:
    """Build a registered architecture with fresh weights.

    Parameters
    ----------
    name : str
        Name, see :func:`list_nets`.
    n_chans : int
        Number of channels (axis 1 of the input).
    n_outputs : int
        Number of classes.
    input_size : int or sequence of int
        What follows the channels: number of samples in time; height and width;
        number of frames, height and width.
    **params : object
        Further parameters of the architecture.

    Returns
    -------
    torch.nn.Module
        The net. Its weights depend on torch's random state alone.

    Raises
    ------
    ValueError
        If the name or a parameter is not known, or the sizes do not fit.

    Examples
    --------
    >>> net = create_net("resnet1d_gru", 18, 6, 2000)
    >>> net.num_features
    304
    """
    config = net_config(name)
    caller = f"create_net({name!r})"
    check_net_params(config.net, params, caller=caller)
    n_axes = 3 if isinstance(input_size, int) else len(input_size) + 2
    if n_axes != config.ndim:
        raise ValueError(
            f"{caller}: the net takes input of {config.ndim} axes, input_size="
            f"{input_size!r} makes {n_axes}."
        )
    sizes = config.sizes(n_chans, n_outputs, input_size)
    return config.net(**{**sizes, **config.params, **params})


def check_net_params(
    net: Callable[..., nn.Module], params: dict[str, Any], *, caller: str
) -> None:
    """Refuse parameters that an architecture does not have, naming the nearest.

    Parameters
    ----------
    net : callable
        The architecture's class.
    params : dict
        Parameters beside the three sizes.
    caller : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        If one is unknown or repeats a size.

    Examples
    --------
    >>> check_net_params(get_net("resnet1d_gru"), {"width": 8}, caller="doctest")
    """
    signature = inspect.signature(net).parameters
    known = [
        name
        for name, parameter in signature.items()
        if name not in SIZES
        and parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.values())
    for name in params:
        if name in SIZES:
            raise ValueError(
                f"{caller}: {name} is taken from the data; leave it out of the "
                "architecture's parameters."
            )
        if name not in known and not open_ended:
            close = difflib.get_close_matches(str(name), known, n=2, cutoff=0.4)
            hint = f"Did you mean {' or '.join(close)}? " if close else ""
            raise ValueError(
                f"{caller}: {getattr(net, '__name__', net)} has no parameter "
                f"{name!r}. {hint}It has {known}."
            )
