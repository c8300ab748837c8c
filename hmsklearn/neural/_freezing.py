"""Parts of a net that do not learn for a while."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hmsklearn.neural._parameter_groups import matching_names

__all__ = ["freeze_parameters"]


def freeze_parameters(
    module: nn.Module, patterns: str | Sequence[str], *, caller: str
) -> tuple[Callable[[], None], list[nn.Module]]:
    """Keep parameters of a net from learning.

    Parameters
    ----------
    module : torch.nn.Module
        The net; its backbone is ``module.body``, or the module itself.
    patterns : str or sequence of str
        ``"backbone"`` is everything but the head, ``"head"`` the head. Others are
        names of layers, which stand for all within, or of parameters, with ``*`` and
        ``?`` as for files; ``body.`` in front may be left out.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    undo : callable
        Lets those parameters learn again which did before, and puts the batch norms
        back into the mode they were in.
    frozen_norms : list of torch.nn.Module
        Batch norms that must stay in evaluation mode, since their statistics would
        learn otherwise. They are put into it; whoever calls ``module.train()`` does it
        again.

    Raises
    ------
    ValueError
        If a pattern fits nothing, or nothing is left to learn.

    Examples
    --------
    >>> net = nn.Sequential()
    >>> net.body = nn.Sequential()
    >>> net.body.stem, net.body.head = nn.Linear(2, 2), nn.Linear(2, 6)
    >>> undo, norms = freeze_parameters(net, "backbone", caller="doctest")
    >>> [name for name, p in net.named_parameters() if p.requires_grad]
    ['body.head.weight', 'body.head.bias']
    >>> undo()
    >>> all(p.requires_grad for p in net.parameters())
    True
    """
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    parameters = dict(module.named_parameters())
    buffers = dict(module.named_buffers())
    chosen: set[str] = set()
    for pattern in patterns:
        found = matching_names(module, pattern, [*parameters, *buffers])
        if not found:
            _refuse(module, pattern, caller)
        chosen |= found
    changed = [p for n, p in parameters.items() if n in chosen and p.requires_grad]
    if not any(p.requires_grad for n, p in parameters.items() if n not in chosen):
        raise ValueError(
            f"{caller}: freeze={patterns!r} leaves nothing to train. Freeze less."
        )
    for parameter in changed:
        parameter.requires_grad_(False)
    norms = [
        (part, part.training)
        for name, part in module.named_modules()
        if isinstance(part, _BatchNorm)
        and all(full in chosen for full in _names(name, part))
    ]
    for part, _ in norms:
        part.eval()

    def undo() -> None:
        for parameter in changed:
            parameter.requires_grad_(True)
        for part, training in norms:
            part.train(training)

    return undo, [part for part, _ in norms]


def _names(prefix: str, part: nn.Module) -> list[str]:
    """Full names of a batch norm's parameters, of its statistics if it has none."""
    own = [name for name, _ in part.named_parameters(recurse=False)]
    own = own or [name for name, _ in part.named_buffers(recurse=False)]
    return [f"{prefix}.{name}" if prefix else name for name in own]


def _refuse(module: nn.Module, pattern: str, caller: str) -> None:
    if pattern in ("backbone", "head"):
        raise ValueError(
            f"{caller}: freeze={pattern!r} needs to know the head, and the net does "
            "not name it. Name layers instead, or give the net an attribute "
            "head_prefixes."
        )
    body = getattr(module, "body", None)
    layers = [name for name, _ in (module if body is None else body).named_children()]
    close = difflib.get_close_matches(pattern, layers, n=2, cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise ValueError(
        f"{caller}: freeze={pattern!r} fits no parameter. {hint}The layers are "
        f"{layers}."
    )
