"""Batch normalisation folded into the convolution in front of it, for prediction.

In evaluation a batch normalisation multiplies every map by a number and adds another.
So does a convolution with other weights: folding one into the other saves a pass over
the maps, which on a CPU is most of what the normalisation costs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from timm.layers import BatchNormAct2d
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from hmsklearn.neural._device import leaving_random_state

__all__ = ["fold_batch_norms"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_CONVOLVE = (torch.conv1d, torch.conv2d, torch.conv3d)
_NORMALIZE = (functional.batch_norm, torch.batch_norm)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)

# Questions about a tensor that do not read its numbers.
_QUESTIONS = {
    "__len__",
    "dim",
    "is_contiguous",
    "is_floating_point",
    "ndimension",
    "numel",
    "size",
    "stride",
}

# Largest difference of the outputs, relative to the largest of them. Rounding is a
# thousand times smaller.
_TOLERANCE = 1e-4


def fold_batch_norms(module: nn.Module, example: Any) -> nn.Module | None:
    """Copy a net, with the batch normalisations folded into the convolutions.

    Parameters
    ----------
    module : torch.nn.Module
        Net in evaluation mode.
    example : Tensor or mapping of str to Tensor
        One window of what it takes; only its shape and its device count.

    Returns
    -------
    torch.nn.Module or None
        The copy, which gives the same output up to rounding and shares all weights
        that are not folded; None where there is nothing to fold, where the net cannot
        be copied, and where the copy gives something else than the net.

    Notes
    -----
    Which normalisation follows which convolution is watched while one random window
    goes through. A pair is folded only if the normalisation is the one reader of what
    the convolution gives, and both run once. Another random window then goes through
    the net and its copy, and the outputs have to be the same to 1e-4 of the largest.
    The windows come from a generator of their own, so that the caller's random state
    is left alone, and that of a training in another thread.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv1d(2, 3, 5), nn.BatchNorm1d(3)).eval()
    >>> fold_batch_norms(net, torch.zeros(1, 2, 9))[1]
    Identity()
    """
    kinds = {type(one) for one in module.modules()}
    if not any(issubclass(kind, _CONVOLUTIONS) for kind in kinds):
        return None
    if not kinds & {*_NORMS, BatchNormAct2d}:
        return None
    try:
        # The weights are shared; those that are folded get replaced.
        shared = {id(one): one for one in module.parameters()}
        folded = copy.deepcopy(module, shared)
    except (RuntimeError, TypeError):
        return None  # modules that hold what cannot be copied
    # The same numbers each time, so that the same net is folded each time.
    draws = torch.Generator().manual_seed(0)
    with torch.inference_mode(False), torch.no_grad(), leaving_random_state():
        watch = _Watch(folded)
        with watch:
            folded(_random_like(example, draws))
        pairs = watch.pairs()
        if not pairs:
            return None
        for convolution, norm in pairs:
            _fold(convolution, norm)
        _replace(folded, {norm: _what_follows(norm) for _, norm in pairs})
        return folded if _same(module, folded, _random_like(example, draws)) else None


class _Watch(TorchFunctionMode):
    """Sees which batch normalisation reads what a convolution gives, and who else."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._convolutions = {
            id(one.weight): one
            for one in module.modules()
            if isinstance(one, _CONVOLUTIONS)
        }
        self._norms = {
            id(one.running_mean): one
            for one in module.modules()
            if type(one) in (*_NORMS, BatchNormAct2d)
            and one.running_mean is not None
            and not _has_hooks(one)
        }
        # The tensors are kept: another one could get the address of one that is gone.
        self._given: dict[int, tuple[torch.Tensor, nn.Module]] = {}
        self._readers: dict[nn.Module, list[nn.Module | None]] = {}
        self._runs: dict[nn.Module, int] = {}

    def pairs(self) -> list[tuple[Any, Any]]:
        """Convolutions with the normalisation that alone reads what they give."""
        return [
            (convolution, readers[0])
            for convolution, readers in self._readers.items()
            if len(readers) == 1
            and readers[0] is not None
            and self._runs[convolution] == self._runs[readers[0]] == 1
            and not _has_hooks(convolution)
        ]

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        arguments = list(_tensors((args, kwargs or {})))
        norm = self._norm_of(func, arguments)
        for one in arguments:
            _, convolution = self._given.get(id(one), (None, None))
            if convolution is not None and not _asks(func, out):
                reads = norm if arguments[0] is one else None
                self._readers.setdefault(convolution, []).append(reads)
        if func in _CONVOLVE and len(arguments) > 1:
            convolution = self._convolutions.get(id(arguments[1]))
            if convolution is not None:
                self._runs[convolution] = self._runs.get(convolution, 0) + 1
                self._given[id(out)] = (out, convolution)
        return out

    def _norm_of(self, func: Any, arguments: list[torch.Tensor]) -> nn.Module | None:
        if func not in _NORMALIZE:
            return None
        for one in arguments[1:]:
            norm = self._norms.get(id(one))
            if norm is not None:
                self._runs[norm] = self._runs.get(norm, 0) + 1
                return norm
        return None


def _asks(func: Any, out: Any) -> bool:
    """Whether a function asks for a tensor's shape or the like, not for its numbers."""
    name = getattr(func, "__name__", "")
    return name in _QUESTIONS or (
        name == "__get__" and not isinstance(out, torch.Tensor)
    )


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _tensors(one)


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _fold(convolution: Any, norm: Any) -> None:
    """Give a convolution the weights that make the normalisation needless."""
    # In float64: a small variance makes large factors.
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    shift = -norm.running_mean.double()
    if convolution.bias is not None:
        shift = shift + convolution.bias.double()
    bias = shift * scale
    if norm.bias is not None:
        bias = bias + norm.bias.double()
    weight = convolution.weight
    axes = (-1, *(1,) * (weight.ndim - 1))
    # Multiplied and cast element by element: the layout in memory stays.
    folded = (weight.double() * scale.view(axes)).to(weight.dtype)
    convolution.weight = nn.Parameter(folded, requires_grad=False)
    convolution.bias = nn.Parameter(bias.to(weight.dtype), requires_grad=False)


def _what_follows(norm: Any) -> nn.Module:
    """Make what a normalisation of timm does besides: dropout and activation."""
    if not isinstance(norm, BatchNormAct2d):
        return nn.Identity()
    parts = [norm.drop, norm.act]
    kept = [part for part in parts if not isinstance(part, nn.Identity)]
    return kept[0] if len(kept) == 1 else nn.Sequential(*kept)


def _replace(module: nn.Module, others: Mapping[Any, nn.Module]) -> None:
    for parent in list(module.modules()):
        for name, child in list(parent._modules.items()):
            if child in others:
                parent._modules[name] = others[child]


def _random_like(example: Any, draws: torch.Generator) -> Any:
    if isinstance(example, Mapping):
        return {name: _random_like(value, draws) for name, value in example.items()}
    x = torch.randn(example.shape, dtype=example.dtype, generator=draws)
    return x.to(example.device)


def _same(module: nn.Module, folded: nn.Module, x: Any) -> bool:
    expected = module(x)
    try:
        got = folded(x)
    except Exception:  # whatever it is that misses the normalisation
        return False
    if not isinstance(got, torch.Tensor) or got.shape != expected.shape:
        return False
    largest = expected.abs().max().clamp(min=1e-12)
    # NaN is not the same as anything.
    return bool((got - expected).abs().max() <= _TOLERANCE * largest)
