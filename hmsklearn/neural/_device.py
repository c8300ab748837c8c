"""Where a net runs, in which precision, and from which seed."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["device_for_loading", "resolve_amp", "resolve_device", "seeded"]


def resolve_device(device: Any, *, caller: str) -> str:
    """Name of the device to train on.

    Parameters
    ----------
    device : str or torch.device
        ``"auto"`` is the GPU if there is one, else the CPU; anything else is taken
        at its word.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    str
        For instance ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises
    ------
    ValueError
        If it is not a device's name.
    RuntimeError
        If the device is asked for by name and absent.

    Examples
    --------
    >>> resolve_device("cpu", caller="doctest")
    'cpu'
    """
    if isinstance(device, str) and device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(
            f"{caller}: device={device!r} is not a device. Give 'auto', 'cpu', 'cuda' "
            "or 'cuda:<index>'."
        ) from None
    if not _is_present(wanted):
        found = (
            f"{torch.cuda.device_count()} CUDA device(s)"
            if torch.cuda.is_available()
            else "no CUDA device"
        )
        raise RuntimeError(
            f"{caller}: device={str(device)!r} was asked for, but torch finds {found}. "
            "Give device='auto' to use a GPU only where there is one, or 'cpu'."
        )
    return str(wanted)


def device_for_loading(device: Any, *, caller: str) -> str:
    """Name of the device that a loaded estimator predicts on.

    Parameters
    ----------
    device : str or torch.device
        The estimator's parameter.
    caller : str
        Name that starts the warning.

    Returns
    -------
    str
        The device itself if it is there, else ``"cpu"``, with a warning unless the
        parameter was ``"auto"``: a model trained on a GPU must load on a machine
        without one, but nobody should wonder why it is slow.

    Examples
    --------
    >>> device_for_loading("cpu", caller="doctest")
    'cpu'
    """
    try:
        return resolve_device(device, caller=caller)
    except RuntimeError:
        warnings.warn(
            f"{caller}: was fitted with device={str(device)!r}, which this machine "
            "does not have; it is loaded on the CPU and predicts there. "
            "set_params(device='auto') before dumping avoids this warning.",
            UserWarning,
            stacklevel=2,
        )
        return "cpu"


def resolve_amp(amp: str | None, device: str, *, caller: str) -> torch.dtype | None:
    """Type of the mixed-precision training, if any.

    Parameters
    ----------
    amp : {"auto", "bf16", "fp16"} or None
        ``"auto"`` is bfloat16 on GPUs that have it, float16 on other GPUs and none
        elsewhere: CPUs are slower with it.
    device : str
        Resolved device.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    torch.dtype or None
        ``torch.bfloat16``, ``torch.float16`` or None for plain float32.

    Raises
    ------
    ValueError
        If `amp` is unknown, or asked for by name away from a CUDA device.

    Examples
    --------
    >>> resolve_amp("auto", "cpu", caller="doctest") is None
    True
    """
    if amp not in ("auto", "bf16", "fp16", None):
        raise ValueError(
            f"{caller}: amp={amp!r} is not known. Give 'auto', 'bf16', 'fp16' or None."
        )
    on_cuda = torch.device(device).type == "cuda"
    if amp is None or (amp == "auto" and not on_cuda):
        return None
    if not on_cuda:
        raise ValueError(
            f"{caller}: amp={amp!r} needs a CUDA device, training runs on {device!r}. "
            "Give amp='auto', which uses mixed precision only on a GPU."
        )
    if amp == "auto":
        # Asked of the hardware: torch also claims bfloat16 where it is emulated.
        major, _ = torch.cuda.get_device_capability(torch.device(device))
        amp = "bf16" if major >= 8 else "fp16"
    return torch.bfloat16 if amp == "bf16" else torch.float16


@contextlib.contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """Run a block from a seed and leave torch's random state as it was.

    Parameters
    ----------
    seed : int
        Seed of the block.
    device : str
        Device whose generator is seeded too.

    Yields
    ------
    None

    Examples
    --------
    >>> state = torch.get_rng_state()
    >>> with seeded(0, "cpu"):
    ...     _ = torch.rand(3)
    >>> torch.equal(state, torch.get_rng_state())
    True
    """
    where = torch.device(device)
    indices = []
    if where.type == "cuda":
        index = where.index if where.index is not None else torch.cuda.current_device()
        indices = [index]
    with torch.random.fork_rng(devices=indices):
        # torch.manual_seed would reseed every GPU of the process; only the
        # generators in use, which fork_rng restores, are touched here.
        torch.default_generator.manual_seed(seed)
        for index in indices:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(seed)
        yield


def _is_present(device: torch.device) -> bool:
    if device.type == "cpu":
        return True
    if device.type == "cuda":
        if not torch.cuda.is_available():
            return False
        return device.index is None or device.index < torch.cuda.device_count()
    backend = getattr(torch.backends, device.type, None)
    return bool(backend is not None and backend.is_available())
