"""A forward pass in which windows are mixed behind the last layer but the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

__all__ = ["forward_mixed"]

# What is mixed with the features.
_ROWS = ("fractions", "total_votes", "sample_weight")


def forward_mixed(
    module: nn.Module,
    inputs: Mapping[str, Any],
    augmentations: Sequence[Any],
) -> tuple[Any, dict[str, Any]]:
    """Run a net and mix what its ``forward_features`` gives.

    Parameters
    ----------
    module : NormalizedNet
        The net; its backbone is ``module.body``.
    inputs : mapping
        The batch, prepared, with its ``"fractions"``.
    augmentations : sequence of BaseAugmentation
        Those that act on features, in order.

    Returns
    -------
    output : Tensor or NetOutput
        What the net gives.
    inputs : dict
        The batch with targets, weights and numbers of votes as they were mixed;
        ``"unmixed"`` holds those of before, for heads that read other features.

    Raises
    ------
    ValueError
        If the net does not hand its features to a head.

    Notes
    -----
    The backbone's ``forward_head`` is replaced for the time of the pass. Features of
    16 bits are mixed in single precision, with the very shares of the targets.

    Examples
    --------
    >>> from hmsklearn.augmentation import ManifoldMixup
    >>> from hmsklearn.nets import BaseNet
    >>> class Mean(BaseNet):
    ...     num_features = 3
    ...     def forward_features(self, x):
    ...         return x.mean(dim=2)
    >>> net = nn.Module()
    >>> net.body = Mean(3, 6, 8)
    >>> net.body.reset_head(6)
    >>> net.forward = lambda batch, prepared: net.body(batch["x"])
    >>> batch = {"x": torch.zeros(6, 3, 8), "fractions": torch.eye(6)}
    >>> output, mixed = forward_mixed(net, batch, [ManifoldMixup(p=1.0)])
    >>> output.shape, sorted(mixed)
    (torch.Size([6, 6]), ['fractions', 'unmixed', 'x'])
    """
    body: Any = module.body
    names = ", ".join(type(one).__name__ for one in augmentations)
    if not (hasattr(body, "forward_features") and hasattr(body, "forward_head")):
        raise ValueError(_refusal(names, body, "has not both of them"))
    before = {name: inputs[name] for name in _ROWS if inputs.get(name) is not None}
    after: dict[str, Any] = {}
    head = body.forward_head

    def mix_and_forward_head(
        x: torch.Tensor,
        pre_logits: bool = False,
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        batch = {**before, "x": x.float() if x.dtype.itemsize < 4 else x}
        for augmentation in augmentations:
            batch = augmentation.apply(batch)
        features = batch.pop("x")
        after.update(batch)
        votes = None if total_votes is None else batch["total_votes"]
        return head(features, pre_logits, total_votes=votes)

    body.forward_head = mix_and_forward_head
    try:
        given = {name: value for name, value in inputs.items() if name != "fractions"}
        output = module(given, prepared=True)
    finally:
        del body.forward_head
    if not after:
        raise ValueError(_refusal(names, body, "does not call the second in forward"))
    return output, {**inputs, **after, "unmixed": before}


def _refusal(names: str, body: nn.Module, cause: str) -> str:
    return (
        f"{names}: mixes what forward_features gives and forward_head takes, and "
        f"{type(body).__name__} {cause}. Derive the class from hmsklearn.nets.BaseNet, "
        "or use Mixup."
    )
