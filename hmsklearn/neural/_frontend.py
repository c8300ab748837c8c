"""Steps of a pipeline as the first layer of a net, run per batch on its device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from torch import nn

from hmsklearn._params import check_integer
from hmsklearn.neural._frontend_steps import learning_step, named_steps

__all__ = ["Frontend"]

# So much input at a time on a CPU: what the steps make on the way then stays in the
# cache. A GPU is fastest with all of a batch.
_CHUNK_BYTES = 4 * 2**20

_REMEDY = "leave it in the Pipeline, in front of the estimator."


class Frontend(nn.Module):
    """Run a transformer, or a pipeline of them, inside a net.

    Parameters
    ----------
    transformer : transformer or Pipeline
        Transformers of this package, a pipeline of them, their compositions, or any
        object with a ``transform`` that maps a float32 tensor of windows to a tensor
        on the same device. It is cloned; the clone is fitted on one window of noise,
        since what may be in a frontend learns nothing from the values of its input.
    input_shape : tuple of int
        Shape of one window, such as ``(20, 10_000)``.
    caller : str, default="Frontend"
        Name that starts the error messages.

    Attributes
    ----------
    transformer : transformer or Pipeline
        The fitted clone.
    input_shape : tuple of int
        Shape of one window that goes in.
    output_shape : tuple of int
        Shape of one window that comes out.
    allow_nan : bool
        Whether NaN may enter: what the first step says.

    Raises
    ------
    ValueError
        If a step learns from the data, refuses windows of the shape, or does not map
        tensors to tensors; the message names the step.
    TypeError
        If `transformer` has no ``transform``.

    See Also
    --------
    fuse : Moves steps of a pipeline into the estimator's frontend.

    Notes
    -----
    ``(n_windows, *input_shape)`` in, ``(n_windows, *output_shape)`` out, float32, on
    the device of the input, within 1e-4 of the peak of what the transformer gives for
    arrays. It computes in float32 under autocast too: a spectrum in half precision
    would lose its quiet parts. As for all tensors, values are not looked at: NaN
    passes through where no step fills it.

    There are no parameters and no buffers. Filters and windows are derived from the
    transformer's parameters, once for each device that they are asked for on, so that
    moving the module moves nothing and a pickle is no larger than the transformer's. A
    gradient reaches the input where the input asks for one, and nothing is recorded
    otherwise.

    References
    ----------
    Solutions of HMS that made their spectrograms on the GPU, from windows augmented
    before: 3rd place (discussion 492471), 4th place (492240).

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from hmsklearn.neural import Frontend
    >>> from hmsklearn.preprocessing import MontageTransformer
    >>> from hmsklearn.spectrogram import MelSpectrogramizer
    >>> steps = make_pipeline(MontageTransformer(), MelSpectrogramizer())
    >>> frontend = Frontend(steps, (20, 10_000))
    >>> frontend.output_shape
    (18, 128, 256)
    >>> frontend(torch.zeros(2, 20, 10_000)).shape
    torch.Size([2, 18, 128, 256])
    """

    def __init__(
        self,
        transformer: Any,
        input_shape: tuple[int, ...],
        *,
        caller: str = "Frontend",
    ) -> None:
        super().__init__()
        self.input_shape = tuple(
            check_integer(length, "input_shape", caller=caller, low=1)
            for length in input_shape
        )
        _refuse(transformer, caller)
        self.transformer = clone(transformer, safe=False)
        self._steps = named_steps(self.transformer)
        self.output_shape = self._fit(caller)

    @property
    def allow_nan(self) -> bool:
        """Whether NaN may enter."""
        for _, step in self._steps:
            known = isinstance(step, BaseEstimator)
            return known and bool(get_tags(step).input_tags.allow_nan)
        return False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Transform a batch of windows.

        Parameters
        ----------
        x : Tensor of shape (n_windows, *input_shape)
            Windows, of any float type.

        Returns
        -------
        Tensor of shape (n_windows, *output_shape), float32
            The transformed windows.

        Raises
        ------
        ValueError
            If the windows have another shape than the frontend was made for.
        """
        if tuple(x.shape[1:]) != self.input_shape:
            raise ValueError(
                f"Frontend: windows have shape {tuple(x.shape[1:])}, but the frontend "
                f"was made for {self.input_shape}. Give windows of that shape, or make "
                "a Frontend for this one."
            )
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            step = max(1, _CHUNK_BYTES // (4 * math.prod(self.input_shape)))
            if not _in_chunks(x) or len(x) <= step:
                return self._run(x)
            out = x.new_empty((len(x), *self.output_shape))
            for start in range(0, len(x), step):
                out[start : start + step] = self._run(x[start : start + step])
            return out

    def extra_repr(self) -> str:
        """Name the steps and shapes, for torch's representation.

        Returns
        -------
        str
            One line.
        """
        names = " -> ".join(type(step).__name__ for _, step in self._steps)
        return f"{names or 'passthrough'}, {self.input_shape} -> {self.output_shape}"

    def _run(self, x: torch.Tensor) -> torch.Tensor:
        # One by one: a Pipeline would check its own state at every batch.
        for _, step in self._steps:
            x = step.transform(x)
        return x.float()

    def _fit(self, caller: str) -> tuple[int, ...]:
        """Fit the steps in place, and see one window through each of them."""
        # Positive, since it may stand for a spectrogram.
        noise = np.random.default_rng(0).random((1, *self.input_shape), np.float32)
        for name, step in self._steps:
            what = f"{caller}: step {name!r} ({type(step).__name__})"
            # A tensor with a gradient is one that NumPy's functions refuse, which
            # would work on a CPU alone.
            window = torch.from_numpy(noise).requires_grad_()
            try:
                if hasattr(step, "fit"):
                    step.fit(noise)
                with torch.enable_grad():
                    result = step.transform(window)
            except torch.cuda.OutOfMemoryError:
                raise
            except Exception as error:
                raise ValueError(
                    f"{what} cannot transform a tensor of windows of shape "
                    f"{noise.shape[1:]} ({type(error).__name__}: {error}). Give "
                    "windows that fit it, or, if it does not work on torch tensors, "
                    f"{_REMEDY}"
                ) from error
            if not isinstance(result, torch.Tensor) or len(result) != 1:
                got = getattr(result, "shape", "")
                raise ValueError(
                    f"{what} gives {type(result).__name__} {tuple(got)} for a tensor "
                    f"with one window of shape {noise.shape[1:]}, not a tensor with "
                    f"one window: {_REMEDY}"
                )
            noise = result.detach().float().numpy()
        return noise.shape[1:]


def _in_chunks(x: torch.Tensor) -> bool:
    """Tell whether a batch is computed in parts: on a CPU, and nobody records it."""
    recorded = torch.compiler.is_compiling() or torch.jit.is_tracing()
    needs_gradient = x.requires_grad and torch.is_grad_enabled()
    return x.device.type == "cpu" and not (recorded or needs_gradient)


def _refuse(transformer: Any, caller: str) -> None:
    for name, step in named_steps(transformer):
        if isinstance(step, type) or not hasattr(step, "transform"):
            raise TypeError(
                f"{caller}: step {name!r} must be a transformer (an instance with "
                f"transform), got {step!r}."
            )
        if getattr(step, "_takes_tensors", True) is False:
            raise ValueError(
                f"{caller}: step {name!r} ({type(step).__name__}) takes no torch "
                f"tensors, which a frontend runs on: {_REMEDY}"
            )
    found = learning_step(transformer)
    if found is not None:
        name, step = found
        raise ValueError(
            f"{caller}: step {name!r} ({type(step).__name__}) learns from the data "
            "(its tag requires_fit is set), but a frontend is fitted on none: "
            f"{_REMEDY}"
        )
