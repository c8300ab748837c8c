"""The list of architectures by name; a new one is one file and one decorator."""

from __future__ import annotations

import difflib
import fnmatch
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

__all__ = ["create_net", "get_net", "list_nets", "register_net"]

_NETS: dict[str, Callable[..., nn.Module]] = {}

NetT = TypeVar("NetT", bound=Callable[..., nn.Module])


def register_net(name: str) -> Callable[[NetT], NetT]:
    """Register an architecture under a name; a class decorator.

    Parameters
    ----------
    name : str
        Name by which estimators find it.

    Returns
    -------
    callable
        Decorator that returns the class unchanged. The class is called as
        ``cls(n_chans, n_outputs, n_times, **params)``.

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
        known = _NETS.get(name)
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
        _NETS[name] = net
        return net

    return register


def list_nets(pattern: str = "*") -> list[str]:
    """Names of the registered architectures.

    Parameters
    ----------
    pattern : str, default="*"
        Shell-style pattern that the names must match.

    Returns
    -------
    list of str
        Sorted names.

    Examples
    --------
    >>> list_nets("resnet1d*")
    ['resnet1d_gru']
    """
    return sorted(fnmatch.filter(_NETS, pattern))


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
    try:
        return _NETS[name]
    except KeyError:
        close = difflib.get_close_matches(str(name), _NETS, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise ValueError(
            f"The architecture {name!r} is not known. {hint}Known are {list_nets()}."
        ) from None


def create_net(
    name: str, n_chans: int, n_outputs: int, n_times: int, **params: Any
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
    n_times : int
        Number of samples in time (axis 2 of the input).
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
    net = get_net(name)
    check_net_params(net, params, caller=f"create_net({name!r})")
    return net(n_chans=n_chans, n_outputs=n_outputs, n_times=n_times, **params)


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
    sizes = ("n_chans", "n_outputs", "n_times")
    known = [
        name
        for name, parameter in signature.items()
        if name not in sizes
        and parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.values())
    for name in params:
        if name in sizes:
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
