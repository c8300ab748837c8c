"""What a trained net predicts on: torch with folded weights, or ONNX Runtime."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from hmsklearn._optional import import_optional
from hmsklearn.neural._fold import fold_batch_norms

__all__ = ["Engine", "check_engine", "make_engine"]

# Largest difference of the probabilities of ONNX Runtime and torch.
_TOLERANCE = 1e-4

# The newest that torch 2.5 writes and what ONNX Runtime 1.17 reads.
_OPSET = 17

# Hooks of these packages belong to the nets; others are a user's.
_OWN_HOOKS = ("hmsklearn", "timm", "torch")


class Engine:
    """A way to get logits from what the frontend gives.

    Parameters
    ----------
    run : callable
        Maps a batch to logits.
    mark : tuple
        The net that it was made from, and what its weights were.

    Examples
    --------
    >>> Engine(lambda x: 2 * x, ())(3)
    6
    """

    def __init__(self, run: Callable[[Any], torch.Tensor], mark: tuple[Any, ...]):
        self.run = run
        self.mark = mark

    def __call__(self, x: Any) -> torch.Tensor:
        """Logits of a batch.

        Parameters
        ----------
        x : Tensor or mapping of str to Tensor
            What ``prepare`` of the module gave.

        Returns
        -------
        Tensor of shape (n_windows, n_classes)
            Logits.
        """
        return self.run(x)


def check_engine(engine: str, device: str, *, caller: str) -> None:
    """Refuse an engine that cannot run here.

    Parameters
    ----------
    engine : {"torch", "onnx"}
        The engine.
    device : str
        Resolved device.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    ImportError
        If a package is missing.
    ValueError
        If the engine does not run on the device.

    Examples
    --------
    >>> check_engine("torch", "cpu", caller="doctest")
    """
    if engine != "onnx":
        return
    if torch.device(device).type != "cpu":
        raise ValueError(
            f"{caller}: engine='onnx' predicts on the CPU, but the net is on "
            f"{device!r}. Set engine='torch', or device='cpu'."
        )
    for package in ("onnx", "onnxruntime"):
        import_optional(package, extra="onnx", needed_by=f"{caller}(engine='onnx')")


def make_engine(net: Any, engine: str, x: Any, *, name: str) -> Engine:
    """Engine of a net as it is now: the one that was made before, or a new one.

    Parameters
    ----------
    net : VoteNet
        The net, in evaluation mode. It keeps the engine, but does not save it.
    engine : {"torch", "onnx"}
        Which one.
    x : Tensor or mapping of str to Tensor
        A batch of what the frontend gives.
    name : str
        How messages call the architecture.

    Returns
    -------
    Engine
        Runs normalisation and backbone.

    Raises
    ------
    ImportError
        If a package is missing.
    RuntimeError
        If ONNX Runtime cannot run the net, or gives something else than torch.
    ValueError
        If the engine does not run on the net's device.

    Notes
    -----
    Whatever changes weights in place, replaces them or moves them is noticed, and the
    engine is made anew.
    """
    check_engine(engine, str(net.device), caller=net.caller)
    mark = _mark(net, engine)
    kept: Engine | None = net.engine_
    if kept is None or kept.mark != mark:
        # Let go of the old one first: two would take twice the memory.
        net._keep(engine_=None)
        kept = None
        make = _onnx_run if engine == "onnx" else _torch_run
        kept = Engine(make(net, x, name), mark)
        net._keep(engine_=kept)
    return kept


def _mark(net: Any, engine: str) -> tuple[Any, ...]:
    """List what an engine depends on, by identity and count of changes."""
    module = net.module_
    tensors = [*module.parameters(), *module.buffers()]
    return (
        engine,
        module,
        # Threads are fixed in a session.
        torch.get_num_threads() if engine == "onnx" else 0,
        _has_foreign_hooks(module),
        tuple((id(one), one.data_ptr(), _version(one)) for one in tensors),
    )


def _version(tensor: torch.Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


def _has_foreign_hooks(module: nn.Module) -> bool:
    return any(
        (getattr(hook, "__module__", None) or "").split(".")[0] not in _OWN_HOOKS
        for one in module.modules()
        for hook in (*one._forward_hooks.values(), *one._forward_pre_hooks.values())
    )


# -- torch ----------------------------------------------------------------------


def _torch_run(net: Any, x: Any, name: str) -> Callable[[Any], torch.Tensor]:
    module = net.module_
    # A GPU gains little; hooks want to see the net that they were put on.
    if torch.device(net.device).type == "cpu" and not _has_foreign_hooks(module):
        folded = fold_batch_norms(module.body, module.normalize(_rows(x, [0])))
        if folded is not None:
            module = copy.copy(module)
            module._modules = {**module._modules, "body": folded}

    def run(x: Any) -> torch.Tensor:
        return module({"x": x}, prepared=True)

    return run


# -- ONNX Runtime ---------------------------------------------------------------


class _Flat(nn.Module):
    """Normalisation and backbone as a function of tensors, in the order of names."""

    def __init__(self, module: nn.Module, names: list[str] | None) -> None:
        super().__init__()
        self.module = module
        self.names = names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """Map tensors to logits."""
        if self.names is None:
            return self.module({"x": tensors[0]}, prepared=True)
        views = dict(zip(self.names, tensors, strict=True))
        return self.module({"x": views}, prepared=True)


def _onnx_run(net: Any, x: Any, name: str) -> Callable[[Any], torch.Tensor]:
    names = sorted(x) if isinstance(x, Mapping) else None
    flat = _Flat(net.module_, names).eval()
    session = _session(flat, _flatten(_rows(x, [0, -1])), names, name, net.caller)
    inputs = [one.name for one in session.get_inputs()]
    order = _input_names(names)

    def run(x: Any) -> torch.Tensor:
        tensors = dict(zip(order, _flatten(x), strict=True))
        # A view that the net does not look at is no input of its graph.
        feed = {one: tensors[one].contiguous().numpy() for one in inputs}
        return torch.from_numpy(session.run(None, feed)[0])

    _compare(net, run, x, name)
    return run


def _session(
    flat: _Flat,
    example: list[torch.Tensor],
    names: list[str] | None,
    name: str,
    caller: str,
) -> Any:
    """Export the net and open it in ONNX Runtime."""
    runtime = import_optional(
        "onnxruntime", extra="onnx", needed_by=f"{caller}(engine='onnx')"
    )
    order = _input_names(names)
    axes = {one: {0: "n_windows"} for one in [*order, "logits"]}
    file = io.BytesIO()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors are raised, the rest is chatter
    try:
        with torch.inference_mode(False), torch.no_grad(), _quiet():
            torch.onnx.export(
                flat,
                tuple(one.clone() for one in example),
                file,  # type: ignore[arg-type]  # torch takes it
                dynamo=False,
                opset_version=_OPSET,
                input_names=order,
                output_names=["logits"],
                dynamic_axes=axes,
            )
        return runtime.InferenceSession(
            file.getvalue(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # exporter and runtime raise what they like
        reason = str(error).strip().split("\n")[0]
        raise RuntimeError(
            f"{caller}: {name} cannot be exported for engine='onnx' "
            f"({type(error).__name__}: {reason}). Set engine='torch'."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says of itself and of shapes that it takes as given.

    A shape that it should not have taken as given shows in the comparison.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        for module in (r"torch\.onnx", r"torch\.jit", r"torch\.nn\.modules\.rnn"):
            warnings.filterwarnings("ignore", module=module)
        for message in (
            ".*legacy TorchScript-based ONNX export.*",
            ".*Constant folding.*",
            ".*with a batch_size other than 1.*",
        ):
            warnings.filterwarnings("ignore", message=message)
        yield


def _compare(net: Any, run: Callable[[Any], torch.Tensor], x: Any, name: str) -> None:
    """Refuse a graph that gives other probabilities than torch does."""
    # Three windows where two were exported, and others than those.
    batch = _rows(x, [0, -1, 0])
    scale = torch.tensor([-0.5, 1.0, 0.5])
    batch = _each(batch, lambda one: one * scale.view(-1, *(1,) * (one.ndim - 1)))
    expected = net.probabilities(net.module_({"x": batch}, prepared=True))
    try:
        got = net.probabilities(run(batch))
    except Exception as error:  # the runtime has no common class of its own
        reason = str(error).strip().split("\n")[0]
        raise RuntimeError(
            f"{net.caller}: ONNX Runtime cannot run the exported {name} on another "
            f"number of windows ({type(error).__name__}: {reason}). Set "
            "engine='torch'."
        ) from error
    difference = float((got - expected).abs().max())
    if got.shape != expected.shape or not difference <= _TOLERANCE:
        raise RuntimeError(
            f"{net.caller}: with engine='onnx' the probabilities of {name} differ from "
            f"torch's by {difference:.2g}, more than {_TOLERANCE:g}. Set "
            "engine='torch'."
        )


def _each(x: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(x, Mapping):
        return {name: change(value) for name, value in x.items()}
    return change(x)


def _rows(x: Any, rows: list[int]) -> Any:
    """Copy some windows of a batch."""
    return _each(x, lambda one: one[np.asarray(rows) % len(one)])


def _flatten(x: Any) -> list[torch.Tensor]:
    if isinstance(x, Mapping):
        return [x[name] for name in sorted(x)]
    return [x]


def _input_names(names: list[str] | None) -> list[str]:
    return ["x"] if names is None else [f"x_{i}" for i in range(len(names))]
