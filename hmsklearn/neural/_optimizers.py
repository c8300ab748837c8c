"""The optimizer that an estimator's parameters name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import timm.optim
import torch
from torch import nn

from hmsklearn._params import check_real
from hmsklearn.neural._parameter_groups import HEAD_PREFIXES, parameter_groups

__all__ = ["make_optimizer"]

# What timm drops without a word where an optimizer does not have it.
_DROPPED = ("eps", "betas", "momentum")

# Names in releases of timm before it had a list of them.
_OLD_NAMES = {"adan": "adanp"}


def make_optimizer(
    module: nn.Module,
    optimizer: str | type[torch.optim.Optimizer],
    *,
    lr: float,
    weight_decay: float = 0.0,
    optimizer_params: dict[str, Any] | None = None,
    backbone_lr: float | Mapping[str, float] | None = None,
    layer_decay: float | None = None,
    head_prefixes: Sequence[str] = HEAD_PREFIXES,
    criterion: nn.Module | None = None,
    caller: str,
) -> torch.optim.Optimizer:
    """Build an optimizer with a rate and a weight decay for every parameter.

    Parameters
    ----------
    module : torch.nn.Module
        The net.
    optimizer : str or class
        ``"adamw"``, ``"adam"``, ``"adan"``, ``"madgrad"``, ``"lamb"``, ``"sgd"`` (with
        Nesterov momentum 0.9) or another name out of ``timm.optim.list_optimizers()``,
        also as ``"lookahead_adamw"``; or a class of torch optimizers.
    lr : float
        Highest rate.
    weight_decay : float, default=0.0
        Weight decay of matrices and kernels.
    optimizer_params : dict, default=None
        Further arguments of the optimizer, for instance ``{"eps": 1e-4}``.
    backbone_lr : float or mapping of str to float, default=None
        Rate of everything but the head, or rates of parts by their names, see
        :func:`hmsklearn.neural._parameter_groups.parameter_groups`.
    layer_decay : float, default=None
        Factor from each layer group to the one before it.
    head_prefixes : sequence of str, default=HEAD_PREFIXES
        Starts of the names that make the head, see
        :func:`hmsklearn.neural._parameter_groups.parameter_groups`.
    criterion : torch.nn.Module, default=None
        Loss whose parameters are learned too.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    torch.optim.Optimizer
        The optimizer; every group holds ``lr_scale``, see ``parameter_groups``.

    Raises
    ------
    ValueError
        If the optimizer or one of its parameters is not known or not usable.
    TypeError
        If `optimizer` is neither a name nor a class.

    References
    ----------
    AdamW: I. Loshchilov and F. Hutter (2019); most places of HMS. Adan: X. Xie et al.
    (2022); 6th and 10th place (discussions 492619, 492207). MADGRAD: A. Defazio and S.
    Jelassi (2021); 3rd place of SETI Breakthrough Listen. ``{"eps": 1e-4}``: bilzard of
    the 4th place (discussion 492240). A lower rate for the backbone: tattaka of the
    4th place. Layer-wise decay: H. Bao et al. (2022), BEiT.

    Examples
    --------
    >>> made = make_optimizer(nn.Linear(2, 6), "adan", lr=1e-3, weight_decay=0.02,
    ...                       caller="doctest")
    >>> [(g["lr"], g["weight_decay"]) for g in made.param_groups]
    [(0.001, 0.02), (0.001, 0.0)]
    """
    check_real(lr, "lr", caller=caller, low=0, low_open=True)
    check_real(weight_decay, "weight_decay", caller=caller, low=0)
    rates = {"backbone_lr": backbone_lr} if backbone_lr is not None else {}
    if isinstance(backbone_lr, Mapping):
        rates = {f"backbone_lr[{key!r}]": rate for key, rate in backbone_lr.items()}
    for name, rate in rates.items():
        # At rate zero, batch norms would still move: freezing is what is meant.
        check_real(
            rate,
            name,
            caller=caller,
            low=0,
            low_open=True,
            remedy="To leave the backbone as it is, freeze it in a stage.",
        )
    if layer_decay is not None:
        check_real(
            layer_decay, "layer_decay", caller=caller, low=0, high=1, low_open=True
        )
    params = dict(optimizer_params or {})
    taken = {"lr", "weight_decay", "params"} & params.keys()
    if taken:
        raise ValueError(
            f"{caller}: optimizer_params must not hold {sorted(taken)}; these are "
            "parameters of their own."
        )
    groups = parameter_groups(
        module,
        lr=lr,
        weight_decay=weight_decay,
        backbone_lr=backbone_lr,
        layer_decay=layer_decay,
        head_prefixes=head_prefixes,
        criterion=criterion,
        caller=caller,
    )
    if isinstance(optimizer, str):
        _check_name(optimizer, caller)
        made = _create(optimizer, groups, lr, params, caller)
    elif isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        made = _create(optimizer, groups, lr, params, caller)
    else:
        raise TypeError(
            f"{caller}: optimizer must be a name such as 'adamw' or a class of torch "
            f"optimizers, got {optimizer!r}."
        )
    if weight_decay and not _takes(made, "weight_decay"):
        raise ValueError(
            f"{caller}: {type(made).__name__} has no weight decay. Set weight_decay=0."
        )
    return made


def _check_name(name: str, caller: str) -> None:
    # Older releases of timm have no list; they refuse a name when it is used.
    listing = getattr(timm.optim, "list_optimizers", None)
    if listing is None:
        return
    known = listing()
    plain = name.lower().removeprefix("lookahead_")
    if plain not in known:
        close = difflib.get_close_matches(plain, known, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise ValueError(
            f"{caller}: optimizer={name!r} is not known. {hint}"
            "timm.optim.list_optimizers() lists them; a class of torch optimizers "
            "will do as well."
        )
    if timm.optim.get_optimizer_info(plain).second_order:
        raise ValueError(
            f"{caller}: optimizer={name!r} needs second derivatives, which the "
            "training does not compute. Use another one."
        )


def _create(
    optimizer: str | type[torch.optim.Optimizer],
    groups: list[dict[str, Any]],
    lr: float,
    params: dict[str, Any],
    caller: str,
) -> torch.optim.Optimizer:
    try:
        if isinstance(optimizer, str):
            name = optimizer.lower()
            if not hasattr(timm.optim, "list_optimizers"):
                name = _OLD_NAMES.get(name, name)
            made = timm.optim.create_optimizer_v2(groups, name, lr=lr, **params)
        else:
            made = optimizer(groups, lr=lr, **params)  # type: ignore[call-arg]
    except (AssertionError, ImportError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{caller}: optimizer={optimizer!r} could not be built with "
            f"optimizer_params={params!r} ({type(error).__name__}: {error}). Check its "
            "parameters and whether it needs a package of its own."
        ) from error
    for name in params:
        if name in _DROPPED and not _takes(made, name):
            raise ValueError(
                f"{caller}: optimizer={optimizer!r} has no parameter {name!r}. Leave "
                "it out of optimizer_params."
            )
    return made


def _takes(optimizer: torch.optim.Optimizer, name: str) -> bool:
    base = getattr(optimizer, "_base_optimizer", optimizer)  # inside a Lookahead
    return name in inspect.signature(type(base)).parameters
