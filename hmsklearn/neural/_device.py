"""Where a net runs, in which precision, and from which seed."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
import torch

__all__ = [
    "device_for_loading",
    "leaving_random_state",
    "naming_memory",
    "random_state",
    "resolve_amp",
    "resolve_device",
    "seeded",
    "set_random_state",
    "training_device",
]

# Taken while a block draws from torch's generators, of which a process has one for
# all its threads.
_drawing = threading.RLock()


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


@contextlib.contextmanager
def training_device(device: Any, *, caller: str) -> Iterator[str]:
    """Take a device to train on; in a worker of joblib, one of its own.

    Parameters
    ----------
    device : str or torch.device
        As in :func:`resolve_device`. In a worker, ``"auto"`` is a GPU that no other
        worker trains on.
    caller : str
        Name that starts the error messages.

    Yields
    ------
    str
        Name of the device.

    Raises
    ------
    RuntimeError
        If another worker trains on the GPU, or on all of them: two trainings on one
        GPU run out of memory sooner or later, and are not faster. Also if a lock
        belongs to another user who lets nobody else use it.

    Notes
    -----
    A worker is told by its name, or by not being the main thread. GPUs are taken by
    locks on files in the folder for temporary files, which the system lets go of when
    a process dies.

    Examples
    --------
    >>> with training_device("cpu", caller="doctest") as device:
    ...     print(device)
    cpu
    """
    resolved = resolve_device(device, caller=caller)
    worker = _worker_number()
    if worker is None or not resolved.startswith("cuda"):
        yield resolved
        return
    n_gpus = torch.cuda.device_count()
    if isinstance(device, str) and device == "auto":
        candidates = [(worker + i) % n_gpus for i in range(n_gpus)]
    else:
        index = torch.device(resolved).index
        candidates = [torch.cuda.current_device() if index is None else index]
    forbidden = []
    for index in candidates:
        path = _lock_path(index)
        # Every user of the machine may need the file that the first one leaves.
        lock = filelock.FileLock(path, timeout=0, mode=0o666, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            continue
        except PermissionError:
            forbidden.append(path)
            continue
        try:
            yield f"cuda:{index}"
        finally:
            lock.release()
        return
    if forbidden:
        raise RuntimeError(
            f"{caller}: no GPU can be taken, since the lock {forbidden[0]} belongs to "
            "another user who lets nobody else use it. Let them delete it or make it "
            "writable for all, name another folder in the environment variable "
            "TMPDIR, or set n_jobs=1, which takes no lock."
        )
    which = (
        f"GPU {candidates[0]} trains"
        if len(candidates) == 1
        else f"all {n_gpus} GPUs train"
    )
    raise RuntimeError(
        f"{caller}: {which} for another worker already. Two trainings on one GPU run "
        f"out of memory and are no faster: set n_jobs={n_gpus} or less, or "
        "device='cpu'."
    )


def _worker_number() -> int | None:
    """Return the number of this worker among joblib's, from 0; None in the main one."""
    name = multiprocessing.current_process().name
    if name == "MainProcess" and threading.current_thread() is (
        threading.main_thread()
    ):
        return None
    if name == "MainProcess":
        name = threading.current_thread().name
    digits = re.search(r"(\d+)(?!.*\d)", name)
    return int(digits.group()) - 1 if digits else 0


def _lock_path(index: int) -> str:
    # By what the card is, not by its place among those that are visible here.
    uuid = getattr(torch.cuda.get_device_properties(index), "uuid", index)
    return str(Path(tempfile.gettempdir()) / f"hmsklearn-gpu-{uuid}.lock")


@contextlib.contextmanager
def naming_memory(
    caller: str, batch_size: int | Callable[[], int], device: str
) -> Iterator[None]:
    """Say in an error about memory how large the batches were, and what helps.

    Parameters
    ----------
    caller : str
        Name that starts the error message.
    batch_size : int or callable
        Number of windows in a batch, or what tells it when the error is there.
    device : str
        Where they are.

    Yields
    ------
    None

    Raises
    ------
    RuntimeError
        In the place of torch's own.

    Examples
    --------
    >>> with naming_memory("doctest", 32, "cpu"):
    ...     pass
    """
    try:
        yield
    except RuntimeError as error:
        full = isinstance(error, torch.cuda.OutOfMemoryError)
        if not full and "can't allocate memory" not in str(error):
            raise
        n_windows = batch_size() if callable(batch_size) else batch_size
        raise RuntimeError(
            f"{caller}: {device} ran out of memory with batch_size={n_windows}. Lower "
            "batch_size and raise accumulate by as much, set grad_checkpointing=True, "
            f"or take a smaller net or windows. ({error})"
        ) from error


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

    Notes
    -----
    The threads of a process share torch's generators, that of the CPU whatever they
    train on. So that each draws what it would draw alone, and leaves them as they
    were, one thread at a time is in such a block: others wait, also those that load a
    fitted estimator, which builds its net. Predictions and processes do not wait.

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
    with _drawing, torch.random.fork_rng(devices=indices):
        # torch.manual_seed would reseed every GPU of the process; only the
        # generators in use, which fork_rng restores, are touched here.
        torch.default_generator.manual_seed(seed)
        for index in indices:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(seed)
        yield


@contextlib.contextmanager
def leaving_random_state() -> Iterator[None]:
    """Run a block that need not draw, and leave torch's random state as it was.

    Yields
    ------
    None

    Notes
    -----
    While another thread is in :func:`seeded`, nothing is put back: that would change
    what the other one draws. The block must take its own numbers from a generator of
    its own.

    Examples
    --------
    >>> state = torch.get_rng_state()
    >>> with leaving_random_state():
    ...     _ = torch.rand(3)
    >>> torch.equal(state, torch.get_rng_state())
    True
    """
    if not _drawing.acquire(blocking=False):
        yield
        return
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        _drawing.release()


def random_state(device: str) -> dict[str, Any]:
    """State of the generators that a training draws from.

    Parameters
    ----------
    device : str
        Where it runs.

    Returns
    -------
    dict of str to Tensor or None
        That of torch and that of the GPU, if it is one.

    Examples
    --------
    >>> random_state("cpu")["cuda"] is None
    True
    """
    on_cuda = torch.device(device).type == "cuda"
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if on_cuda else None,
    }


def set_random_state(state: dict[str, Any], device: str) -> None:
    """Go back to a state of the generators.

    Parameters
    ----------
    state : dict
        What :func:`random_state` gave.
    device : str
        Where the training runs now; a GPU's state counts on a GPU alone.

    Examples
    --------
    >>> set_random_state(random_state("cpu"), "cpu")
    """
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None and torch.device(device).type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def _renew_lock() -> None:
    # The thread that holds it stays behind when a process forks.
    global _drawing
    _drawing = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _is_present(device: torch.device) -> bool:
    if device.type == "cpu":
        return True
    if device.type == "cuda":
        if not torch.cuda.is_available():
            return False
        return device.index is None or device.index < torch.cuda.device_count()
    backend = getattr(torch.backends, device.type, None)
    return bool(backend is not None and backend.is_available())
