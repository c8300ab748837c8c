"""Building a net of several views from a description that can be saved."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import nn

from hmsklearn.nets.multi_view import MultiViewNet

__all__ = ["BranchSpec", "build_multi_view"]


class BranchSpec(NamedTuple):
    """How a branch of a :class:`hmsklearn.nets.MultiViewNet` is built and fed.

    Attributes
    ----------
    name : str
        Name of the branch.
    factory : callable
        Function or class that builds the backbone; importable by its name, so that the
        description can be pickled.
    params : mapping
        Keyword arguments of `factory`.
    input_norm : {"global", "window"} or None
        Normalisation of the branch's input.
    frontend : torch.nn.Module or None
        What a view goes through before that. It is copied.
    view : str or None
        The view that the branch looks at; that of its own name by default.

    Examples
    --------
    >>> from hmsklearn.nets import create_net
    >>> params = {"name": "resnet1d_gru", "n_chans": 18, "n_outputs": 6,
    ...           "input_size": 2000}
    >>> BranchSpec("short", create_net, params, view="eeg").input_norm
    """

    name: str
    factory: Callable[..., nn.Module]
    params: Mapping[str, Any] = {}
    input_norm: str | None = None
    frontend: nn.Module | None = None
    view: str | None = None


def build_multi_view(
    branches: Sequence[BranchSpec | tuple[Any, ...]], n_outputs: int, **params: Any
) -> MultiViewNet:
    """Build a net of several views with fresh weights.

    Parameters
    ----------
    branches : sequence of BranchSpec or tuple
        The branches, in order, each as ``(name, factory, params, input_norm, frontend,
        view)``; what comes after the factory may be left out.
    n_outputs : int
        Number of classes.
    **params : object
        Further parameters of :class:`hmsklearn.nets.MultiViewNet`, such as `fusion`.

    Returns
    -------
    MultiViewNet
        The net. Its weights depend on torch's random state alone.

    Raises
    ------
    ValueError
        If two branches have one name, or a parameter does not fit.
    TypeError
        If a description is none, or a parameter is unknown.

    Notes
    -----
    A fitted estimator is saved as this function, its arguments and the weights: all of
    `branches` must be picklable.

    Examples
    --------
    >>> from hmsklearn.nets import ResNet1DGRU
    >>> sizes = {"n_chans": 4, "n_outputs": 6, "n_times": 500, "width": 8}
    >>> net = build_multi_view(
    ...     [("left", ResNet1DGRU, sizes, "global"), ("right", ResNet1DGRU, sizes)], 6
    ... )
    >>> list(net.branches), net.num_features == 2 * net.branches["left"].num_features
    (['left', 'right'], True)
    """
    specs = [_as_spec(branch) for branch in branches]
    names = [spec.name for spec in specs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"build_multi_view: several branches have the names {twice}. Give each a "
            "name of its own; two may look at one view."
        )
    taken = {"views", "input_norm", "frontend"} & set(params)
    if taken:
        raise ValueError(
            f"build_multi_view: {sorted(taken)} are said in the branches. Leave them "
            "out of the parameters."
        )
    return MultiViewNet(
        {spec.name: spec.factory(**spec.params) for spec in specs},
        n_outputs,
        views={spec.name: spec.view or spec.name for spec in specs},
        input_norm={spec.name: spec.input_norm for spec in specs},
        # A frontend with weights must not be shared by all that is built.
        frontend={spec.name: copy.deepcopy(spec.frontend) for spec in specs},
        **params,
    )


def _as_spec(branch: Any) -> BranchSpec:
    if isinstance(branch, BranchSpec):
        return branch
    n_fields = len(branch) if isinstance(branch, (tuple, list)) else 0
    if not 2 <= n_fields <= len(BranchSpec._fields):
        raise TypeError(
            f"build_multi_view: {branch!r} describes no branch. Give (name, factory, "
            "params, input_norm, frontend, view), or a BranchSpec."
        )
    return BranchSpec(*branch)
