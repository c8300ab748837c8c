"""Which rate and which weight decay every parameter of a net has."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from typing import Any

from timm.models import group_parameters
from torch import nn

__all__ = [
    "HEAD_PREFIXES",
    "head_names",
    "head_prefixes_of",
    "parameter_groups",
]

#: How the names of a head's parameters start in a module whose backbone is ``body``.
HEAD_PREFIXES = ("body.head",)


def parameter_groups(
    module: nn.Module,
    *,
    lr: float,
    weight_decay: float = 0.0,
    backbone_lr: float | None = None,
    layer_decay: float | None = None,
    head_prefixes: Sequence[str] = HEAD_PREFIXES,
    criterion: nn.Module | None = None,
    caller: str,
) -> list[dict[str, Any]]:
    """Divide the parameters that are trained by rate and weight decay.

    Parameters
    ----------
    module : torch.nn.Module
        The net; its backbone is ``module.body``, or the module itself.
    lr : float
        Highest rate of the head, and of everything without `backbone_lr`.
    weight_decay : float, default=0.0
        Weight decay of matrices and kernels.
    backbone_lr : float, default=None
        Highest rate of everything but the head.
    layer_decay : float, default=None
        Factor by which the rate falls from each layer group to the one before it.
    head_prefixes : sequence of str, default=HEAD_PREFIXES
        Starts of the names that make the head, beside those the backbone names, see
        :func:`head_names`.
    criterion : torch.nn.Module, default=None
        Loss whose parameters are learned too, at the head's rate, without decay.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of dict
        Groups for a torch optimizer, with ``params``, ``lr``, ``weight_decay`` and
        ``lr_scale``: what a schedule made for `lr` is multiplied with. The highest
        rate comes first, which is the head's unless `backbone_lr` is larger.

    Raises
    ------
    ValueError
        If nothing is left to train, or the head or the order of the layers is asked
        for and not known.

    Notes
    -----
    Parameters with ``requires_grad=False`` are left out. There is no weight decay for
    parameters with one axis or none (biases, norms), and for those that a module's
    ``no_weight_decay()`` names (of the net or any part of it; patterns as for files).
    The layer groups come from ``body.layer_groups()``, a list of lists of names from
    the stem to the head, or else from timm's ``body.group_matcher()``.

    Examples
    --------
    >>> net = nn.Sequential()
    >>> net.body = nn.Sequential()
    >>> net.body.stem, net.body.head = nn.Linear(2, 2), nn.Linear(2, 6)
    >>> groups = parameter_groups(net, lr=1e-3, weight_decay=0.1, backbone_lr=5e-4,
    ...                           caller="doctest")
    >>> [(g["lr"], g["weight_decay"]) for g in groups]
    [(0.001, 0.1), (0.001, 0.0), (0.0005, 0.1), (0.0005, 0.0)]
    """
    trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
    extra = [] if criterion is None else list(criterion.parameters())
    extra = [parameter for parameter in extra if parameter.requires_grad]
    if not trained:
        raise ValueError(
            f"{caller}: all parameters of the net are frozen, nothing is left to "
            "train. Freeze less."
        )
    scales = dict.fromkeys(trained, 1.0)
    if backbone_lr is not None:
        head = head_names(module, head_prefixes)
        if not head:
            raise ValueError(
                f"{caller}: backbone_lr={backbone_lr!r} needs to know the head, and no "
                f"parameter's name starts with one of {list(head_prefixes)}. Leave it "
                "out, or give the net an attribute head_prefixes."
            )
        for name in trained.keys() - head:
            scales[name] = backbone_lr / lr
    if layer_decay is not None:
        depths = _layer_depths(module, caller)
        deepest = max(depths.values())
        for name in trained:
            scales[name] *= layer_decay ** (deepest - depths[name])
    undecayed = _undecayed(module, trained)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in trained.items():
        decays = parameter.ndim > 1 and name not in undecayed
        groups.setdefault((scales[name], decays), []).append(parameter)
    if extra:
        groups.setdefault((1.0, False), []).extend(extra)
    return [
        {
            "params": groups[scale, decays],
            "lr": lr * scale,
            "weight_decay": weight_decay if decays else 0.0,
            "lr_scale": scale,
        }
        for scale, decays in sorted(groups, reverse=True)
    ]


def head_names(
    module: nn.Module, head_prefixes: Sequence[str] = HEAD_PREFIXES
) -> set[str]:
    """Names of the parameters that make the head.

    Parameters
    ----------
    module : torch.nn.Module
        The net; its backbone is ``module.body``, or the module itself.
    head_prefixes : sequence of str, default=HEAD_PREFIXES
        Starts of names.

    Returns
    -------
    set of str
        Names that start with one of the prefixes, with one of the backbone's attribute
        ``head_prefixes``, or with what a model of timm calls its classifier.

    Examples
    --------
    >>> net = nn.Sequential()
    >>> net.body = nn.Sequential()
    >>> net.body.head = nn.Linear(2, 6)
    >>> sorted(head_names(net))
    ['body.head.bias', 'body.head.weight']
    """
    prefixes = head_prefixes_of(module, head_prefixes)
    return {name for name, _ in module.named_parameters() if name.startswith(prefixes)}


def head_prefixes_of(
    module: nn.Module, head_prefixes: Sequence[str] = HEAD_PREFIXES
) -> tuple[str, ...]:
    """Return how the names of the head's parameters start.

    Parameters
    ----------
    module : torch.nn.Module
        The net.
    head_prefixes : sequence of str, default=HEAD_PREFIXES
        Starts of names in any net.

    Returns
    -------
    tuple of str
        These and what the backbone names.

    Examples
    --------
    >>> head_prefixes_of(nn.Linear(2, 6))
    ('body.head',)
    """
    body, start = _body(module)
    own = list(getattr(body, "head_prefixes", ()))
    # DeiT and others have two classifiers.
    classifier = (getattr(body, "pretrained_cfg", None) or {}).get("classifier") or ()
    own += [classifier] if isinstance(classifier, str) else list(classifier)
    return (*head_prefixes, *(start + name for name in own))


def _body(module: nn.Module) -> tuple[nn.Module, str]:
    body = getattr(module, "body", None)
    return (module, "") if body is None else (body, "body.")


def _undecayed(module: nn.Module, names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for prefix, part in module.named_modules():
        listed = getattr(part, "no_weight_decay", None)
        for pattern in listed() if callable(listed) else ():
            full = f"{prefix}.{pattern}" if prefix else pattern
            found.update(fnmatch.filter(names, full))
    return found


def _layer_depths(module: nn.Module, caller: str) -> dict[str, int]:
    body: Any
    body, start = _body(module)
    if callable(getattr(body, "layer_groups", None)):
        groups = [list(group) for group in body.layer_groups()]
    elif callable(getattr(body, "group_matcher", None)):
        found = group_parameters(body, body.group_matcher(coarse=False))
        groups = [found[depth] for depth in sorted(found)]
    else:
        raise ValueError(
            f"{caller}: layer_decay needs the order of the layers, and "
            f"{type(body).__name__} does not tell it. Leave it out (backbone_lr gives "
            "everything but the head one rate), or give the net a method layer_groups."
        )
    depths = {start + n: depth for depth, group in enumerate(groups) for n in group}
    # What stands in front of the backbone goes with its first layers.
    outside = {n: 0 for n, _ in module.named_parameters() if not n.startswith(start)}
    depths = {**outside, **depths}
    missing = [n for n, _ in module.named_parameters() if n not in depths]
    if missing:
        raise ValueError(
            f"{caller}: layer_groups of {type(body).__name__} leaves out "
            f"{missing[:3]} ({len(missing)} in all). Every parameter must be in one "
            "group."
        )
    return depths
