"""Which rate and which weight decay every parameter of a net has."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from timm.models import group_parameters
from torch import nn

__all__ = [
    "HEAD_PREFIXES",
    "head_names",
    "head_prefixes_of",
    "matching_names",
    "names_under",
    "parameter_groups",
]

#: Where a head's parameters are in a module whose backbone is ``body``.
HEAD_PREFIXES = ("body.head",)

# Patterns that are words.
_PARTS = ("backbone", "head")


def parameter_groups(
    module: nn.Module,
    *,
    lr: float,
    weight_decay: float = 0.0,
    backbone_lr: float | Mapping[str, float] | None = None,
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
    backbone_lr : float or mapping of str to float, default=None
        Highest rate of everything but the head; or highest rates of parts, by patterns
        as :func:`matching_names` takes them. ``"backbone"`` and ``"head"`` are then
        what no other pattern fits, and what is left has `lr`.
    layer_decay : float, default=None
        Factor by which the rate falls from each layer group to the one before it.
    head_prefixes : sequence of str, default=HEAD_PREFIXES
        Parts of the net that make the head, beside those the backbone names, see
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
        rate comes first, which is the head's unless one in `backbone_lr` is larger.

    Raises
    ------
    ValueError
        If nothing is left to train, the head or the order of the layers is asked for
        and not known, or a pattern fits nothing or what another one fits.

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
        rates = _rates(module, backbone_lr, head_prefixes, caller)
        scales.update((name, rates[name] / lr) for name in trained.keys() & rates)
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
        Names of parameters, or of parts of the net.

    Returns
    -------
    set of str
        Names of parameters that are, or lie in, one of the prefixes, of the backbone's
        attribute ``head_prefixes``, or of what a model of timm calls its classifier.
        Whole names count: ``head`` does not mean ``head_conv``.

    Examples
    --------
    >>> net = nn.Sequential()
    >>> net.body = nn.Sequential()
    >>> net.body.head = nn.Linear(2, 6)
    >>> sorted(head_names(net))
    ['body.head.bias', 'body.head.weight']
    """
    prefixes = head_prefixes_of(module, head_prefixes)
    return names_under((name for name, _ in module.named_parameters()), prefixes)


def names_under(names: Iterable[str], prefixes: Iterable[str]) -> set[str]:
    """Choose what is, or lies in, one of some parts of a net.

    Parameters
    ----------
    names : iterable of str
        Names of parameters.
    prefixes : iterable of str
        Names of parameters or modules; a dot at the end changes nothing.

    Returns
    -------
    set of str
        The names chosen.

    Examples
    --------
    >>> sorted(names_under(["head", "head.bias", "head_conv.bias"], ["head"]))
    ['head', 'head.bias']
    """
    parts = [prefix.rstrip(".") for prefix in prefixes]
    inside = tuple(f"{part}." for part in parts)
    return {name for name in names if name in parts or name.startswith(inside)}


def head_prefixes_of(
    module: nn.Module, head_prefixes: Sequence[str] = HEAD_PREFIXES
) -> tuple[str, ...]:
    """Return which parts of a net make its head.

    Parameters
    ----------
    module : torch.nn.Module
        The net.
    head_prefixes : sequence of str, default=HEAD_PREFIXES
        Parts that make it in any net.

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


def matching_names(module: nn.Module, pattern: str, names: Iterable[str]) -> set[str]:
    """Find the names of parameters that a pattern means.

    Parameters
    ----------
    module : torch.nn.Module
        The net.
    pattern : str
        ``"backbone"`` is everything but the head, ``"head"`` the head. Others are
        names of layers, which stand for all within, or of parameters, with ``*`` and
        ``?`` as for files; ``body.`` in front may be left out.
    names : iterable of str
        Names to choose from.

    Returns
    -------
    set of str
        Those that it fits; empty also where the head is asked for and not known.

    Examples
    --------
    >>> names = ["body.stem.weight", "body.stem.bias", "body.head.weight"]
    >>> sorted(matching_names(nn.Sequential(), "stem", names))
    ['body.stem.bias', 'body.stem.weight']
    """
    names = set(names)
    if pattern in _PARTS and not hasattr(module, pattern):
        head = names_under(names, head_prefixes_of(module))
        if pattern == "head":
            return head
        return names - head if head else set()
    ways = (pattern, f"{pattern}.*", f"body.{pattern}", f"body.{pattern}.*")
    return {
        name for name in names if any(fnmatch.fnmatchcase(name, way) for way in ways)
    }


def _rates(
    module: nn.Module,
    backbone_lr: float | Mapping[str, float],
    head_prefixes: Sequence[str],
    caller: str,
) -> dict[str, float]:
    """Highest rates of the parameters that have one of their own."""
    names = [name for name, _ in module.named_parameters()]
    if not isinstance(backbone_lr, Mapping):
        head = head_names(module, head_prefixes)
        if not head:
            raise ValueError(
                f"{caller}: backbone_lr={backbone_lr!r} needs to know the head, and no "
                f"parameter is in one of {list(head_prefixes)}. Leave it "
                "out, or give the net an attribute head_prefixes."
            )
        return dict.fromkeys((name for name in names if name not in head), backbone_lr)
    rates: dict[str, float] = {}
    # The order of a dict's entries must not matter.
    for pattern in sorted(backbone_lr, key=lambda pattern: pattern in _PARTS):
        found = matching_names(module, pattern, names)
        if not found:
            layers = [name for name, _ in _body(module)[0].named_children()]
            raise ValueError(
                f"{caller}: backbone_lr has a rate for {pattern!r}, which fits no "
                f"parameter. The layers are {layers}; 'backbone' is everything but the "
                "head, where the net names that."
            )
        twice = sorted(found & rates.keys())
        if twice and pattern not in _PARTS:
            raise ValueError(
                f"{caller}: two of the names in backbone_lr={dict(backbone_lr)!r} fit "
                f"{twice[0]!r}. Give it one rate."
            )
        rates = {**dict.fromkeys(found, backbone_lr[pattern]), **rates}
    return rates


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
