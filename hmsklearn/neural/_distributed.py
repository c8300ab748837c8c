"""Training in several processes: who takes which windows, and what is added up."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.modules.batchnorm import _NormBase

from hmsklearn._optional import import_optional
from hmsklearn.neural._device import _worker_number, resolve_device
from hmsklearn.neural._one_process import OneProcess

__all__ = ["Processes", "find_workers"]

# Numbers that are added up at a time: large enough that the network is busy, small
# enough that their copy does not double the memory of a net.
_BUCKET_SIZE = 2**23

# What gloo says, whose errors have no class of their own.
_LOST = re.compile(r"Connection (closed|reset|refused)|Broken pipe|Timed out")


class Processes(OneProcess):
    """A training that several processes do together.

    Parameters
    ----------
    state : accelerate.PartialState
        The processes, connected.

    Notes
    -----
    Gradients are added up once a step, after the backward passes: the sum over the
    processes of ``share * gradient of the mean over the part`` is the gradient of the
    mean over the batch, also where the parts are not equally large. Every process
    then takes the same step, so the weights stay the same without being sent around.

    A part has at least two windows, which batch normalisation needs, if the batch
    has. Processes for which nothing is left then repeat a part of another one, with
    the share zero, so that all of them make the same calls.

    Batch norms normalise each part by its own mean and variance; their running
    statistics are averaged over the processes after every step. All other buffers
    must stay as they are in training. The methods are described in
    :class:`hmsklearn.neural._one_process.OneProcess`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> second = Processes(SimpleNamespace(num_processes=2, process_index=1,
    ...                                    device=torch.device("cpu")))
    >>> second.part(np.array([3, 1, 2, 5, 4])), second.weight(5)
    (array([1, 5]), 0.4)
    """

    def __init__(self, state: Any) -> None:
        self.size = int(state.num_processes)
        self.rank = int(state.process_index)
        of_process = state.device
        self._device = torch.device("cpu") if of_process.type == "cpu" else of_process

    def device(self, device: Any) -> str:
        """Tell the device that this process trains on."""
        return str(self._device)

    def check_same(self, mark: Callable[[], str], *, caller: str) -> None:
        """Refuse processes that were given other data or parameters."""
        marks = self.gather(mark())
        others = [rank for rank, one in enumerate(marks) if one != marks[0]]
        if others:
            raise ValueError(
                f"{caller}: distributed=True needs the same data and parameters in "
                f"every process, and processes {others} have others than process 0. "
                "Load the same windows, in the same order, in each of them."
            )

    @contextlib.contextmanager
    def naming_loss(self, caller: str) -> Iterator[None]:
        """Return a context that says so where another process was lost."""
        try:
            yield
        except RuntimeError as error:
            lost = isinstance(error, distributed.DistError)
            if not lost and not _LOST.search(str(error)):
                raise
            raise RuntimeError(
                f"{caller}: process {self.rank} of {self.size} lost the connection to "
                "the others. One of them has ended: look for its own error. Start all "
                "of them again; with checkpoint=... and resume=True they go on from "
                f"the last epoch. ({error})"
            ) from error

    def draw_apart(self, seed: int, device: str) -> None:
        """Let this process draw other random numbers than the others."""
        if self.is_main:
            return
        own = int(np.random.SeedSequence([seed, self.rank]).generate_state(1)[0])
        torch.default_generator.manual_seed(own)
        if torch.device(device).type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(own)

    def part(self, rows: np.ndarray) -> np.ndarray:
        """Take the part of this process out of a batch."""
        n_parts = self._n_parts(len(rows))
        return rows[self.rank % n_parts :: n_parts]

    def weight(self, n_rows: int) -> float:
        """Tell how large the part of this process in a batch is."""
        n_parts = self._n_parts(n_rows)
        if self.rank >= n_parts:
            return 0.0
        return len(range(self.rank, n_rows, n_parts)) / n_rows

    def _n_parts(self, n_rows: int) -> int:
        return max(1, min(self.size, n_rows // 2))

    def same(self, rows: np.ndarray) -> np.ndarray:
        """Agree on an order of rows."""
        sent = torch.from_numpy(np.array(rows, dtype=np.int64)).to(self._device)
        distributed.broadcast(sent, 0)
        return sent.cpu().numpy()

    def mean(self, value: torch.Tensor, weight: float) -> torch.Tensor:
        """Mean over a batch out of the means over its parts."""
        total = value.detach() * weight
        distributed.all_reduce(total)
        return total

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Put the sum of all processes' gradients in the place of this one's."""
        parameters = [p for p in parameters if p.requires_grad]
        # A layer that was left out by chance in all processes has no gradient, and
        # optimizers pass it by; one that was left out here alone has.
        given = [p.grad is not None for p in parameters]
        counts = torch.tensor(given, dtype=torch.float32, device=self._device)
        jobs = [distributed.all_reduce(counts, async_op=True)]
        sums = []
        for bucket in _buckets(parameters):
            flat = torch.cat([_gradient(p).reshape(-1) for p in bucket])
            jobs.append(distributed.all_reduce(flat, async_op=True))
            sums.append((bucket, flat))
        for job in jobs:
            job.wait()
        # Asked only where it matters: the answer makes a GPU wait.
        everywhere = given if all(given) else (counts > 0).tolist()
        has_gradient = dict(zip(map(id, parameters), everywhere, strict=True))
        for bucket, flat in sums:
            pieces = flat.split([p.numel() for p in bucket])
            for parameter, piece in zip(bucket, pieces, strict=True):
                if has_gradient[id(parameter)]:
                    gradient = _gradient(parameter)
                    parameter.grad = gradient.copy_(piece.view_as(gradient))

    def average_statistics(self, module: nn.Module, weight: float) -> None:
        """Give all processes the same running statistics of batch norms."""
        statistics = [
            buffer
            for part in module.modules()
            if isinstance(part, _NormBase) and part.training
            for buffer in (part.running_mean, part.running_var)
            if buffer is not None
        ]
        if not statistics:
            return
        own = torch.full((1,), weight, device=self._device)
        flat = torch.cat([own, *(buffer.float() * weight for buffer in statistics)])
        distributed.all_reduce(flat)
        means = (flat[1:] / flat[0]).split([buffer.numel() for buffer in statistics])
        for buffer, mean in zip(statistics, means, strict=True):
            buffer.copy_(mean)

    def copy_from_main(self, *modules: nn.Module) -> None:
        """Give all processes the main one's parameters and buffers."""
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                value = tensor.detach().contiguous()
                # As bytes: not every backend sends every type.
                sent = value.reshape(-1).view(torch.uint8)
                distributed.broadcast(sent, 0)
                received = sent.view(value.dtype).view(value.shape)
                tensor.detach().copy_(received)

    def from_main(self, value: Any) -> Any:
        """Give all processes an object of the main one."""
        box = [value]
        distributed.broadcast_object_list(box, 0)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """Give all processes the objects of all."""
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def any(self, flag: bool) -> bool:
        """Tell whether something holds in any process."""
        count = torch.tensor(float(flag), device=self._device)
        distributed.all_reduce(count)
        return bool(count.item() > 0)


def find_workers(
    wanted: bool, device: Any, random_state: Any, *, caller: str
) -> OneProcess:
    """Connect the processes that a launcher has started.

    Parameters
    ----------
    wanted : bool
        The estimator's parameter `distributed`.
    device : str or torch.device
        Its parameter `device`.
    random_state : object
        Its parameter `random_state`.
    caller : str
        Name that starts the messages.

    Returns
    -------
    OneProcess
        The processes; this one alone if not `wanted` or not launched.

    Raises
    ------
    ImportError
        If accelerate is not installed.
    ValueError
        If `random_state` is no whole number, or `device` not one that every process
        has.
    RuntimeError
        In a worker of joblib.

    Warns
    -----
    UserWarning
        If there is one process only.

    Examples
    --------
    >>> find_workers(False, "cpu", None, caller="doctest").size
    1
    """
    if not wanted:
        return OneProcess()
    accelerate = import_optional(
        "accelerate", extra="distributed", needed_by=f"{caller}(distributed=True)"
    )
    if not isinstance(random_state, (int, np.integer)) or isinstance(
        random_state, bool
    ):
        raise ValueError(
            f"{caller}: distributed=True needs a whole number as random_state, so that "
            f"every process divides the windows in the same way; got {random_state!r}."
        )
    resolved = torch.device(resolve_device(device, caller=caller))
    launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    connected = distributed.is_available() and distributed.is_initialized()
    if not launched and not connected:
        return _alone(caller)
    if _worker_number() is not None:
        raise RuntimeError(
            f"{caller}: distributed=True in a worker of joblib, which knows nothing of "
            "the processes that the launcher has started. Set n_jobs=1."
        )
    if isinstance(device, str) and device == "auto" and _told_to_use_cpu():
        resolved = torch.device("cpu")
    if resolved.type == "cpu":
        state = accelerate.PartialState(cpu=True, backend="gloo")
    else:
        state = accelerate.PartialState()
    if state.num_processes == 1:
        return _alone(caller)
    _check_state(state, resolved, device, caller)
    return Processes(state)


def _alone(caller: str) -> OneProcess:
    warnings.warn(
        f"{caller}: distributed=True, but there is one process only, which trains "
        "alone. Start the script with 'accelerate launch' or 'torchrun', or leave "
        "distributed out.",
        UserWarning,
        stacklevel=5,
    )
    return OneProcess()


def _told_to_use_cpu() -> bool:
    """Whether ``accelerate launch --cpu`` has started the processes."""
    said = os.environ.get("ACCELERATE_USE_CPU", "")
    return said.lower() in ("1", "true", "yes", "y", "t", "on")


def _check_state(state: Any, resolved: torch.device, device: Any, caller: str) -> None:
    kind = state.distributed_type.name
    if kind not in ("MULTI_CPU", "MULTI_GPU"):
        raise ValueError(
            f"{caller}: accelerate was launched for {kind}. Each process trains the "
            "whole net on a part of each batch: launch it with --multi_gpu or --cpu."
        )
    if state.device.type != resolved.type:
        raise ValueError(
            f"{caller}: device={str(device)!r}, but accelerate has connected the "
            f"processes on {state.device.type!r}. Launch it with --cpu to train on "
            "CPUs, and give device='auto'."
        )
    if resolved.index is not None and resolved.index != state.device.index:
        raise ValueError(
            f"{caller}: device={str(device)!r}, but with distributed=True every "
            f"process has a GPU of its own, this one {str(state.device)!r}. Give "
            "device='auto'."
        )


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    if parameter.grad is None:
        return torch.zeros_like(parameter)
    return parameter.grad


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Group parameters of one type into blocks that are sent together."""
    bucket: list[nn.Parameter] = []
    size = 0
    for parameter in parameters:
        full = size + parameter.numel() > _BUCKET_SIZE
        if bucket and (full or parameter.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(parameter)
        size += parameter.numel()
    if bucket:
        yield bucket
