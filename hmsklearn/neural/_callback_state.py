"""What callbacks have gathered, for a training that goes on in another process."""

from __future__ import annotations

import inspect
import io
import types
from collections.abc import Mapping
from typing import Any

import torch
from skorch import NeuralNet
from torch import nn
from tqdm import tqdm

__all__ = ["callback_state", "restore_callback"]

# Made anew by whoever makes the callback, or no more than a display.
_NOT_STATE = (
    NeuralNet,
    io.IOBase,
    tqdm,
    type,
    types.BuiltinFunctionType,
    types.FunctionType,
    types.MethodType,
    types.ModuleType,
)


def callback_state(callback: Any) -> dict[str, Any]:
    """Collect what the rest of a training depends on in a callback.

    Parameters
    ----------
    callback : skorch.callbacks.Callback
        The callback.

    Returns
    -------
    dict
        Name of its class under ``"class"``. Under ``"state_dict"`` what it gives of
        its own accord, if it does. Else, by attribute, under ``"states"`` the state
        dicts of what has one, such as torch's schedulers, under ``"values"``
        everything else in bytes, and under ``"lost"`` the names of what cannot be
        written.

    Notes
    -----
    The arguments of the constructor are no state: they are the user's to change.

    Examples
    --------
    >>> from skorch.callbacks import EarlyStopping
    >>> early = EarlyStopping(patience=3)
    >>> early.misses_ = 2
    >>> sorted(callback_state(early)["values"])
    ['dynamic_threshold_', 'misses_']
    """
    saved: dict[str, Any] = {"class": _name_of(callback)}
    if _has_state(callback):
        return {**saved, "state_dict": callback.state_dict()}
    saved.update(states={}, values={}, lost=[])
    for name, value in _gathered(callback).items():
        try:
            if _has_state(value):
                state = value.state_dict()
                _bytes_of(state)  # refuses what torch.save would stumble over later
                saved["states"][name] = state
            else:
                saved["values"][name] = _bytes_of(value)
        except Exception:
            # Pickling raises whatever the object's class does.
            saved["lost"].append(name)
    return saved


def restore_callback(
    callback: Any, saved: Mapping[str, Any], device: Any = "cpu"
) -> list[str]:
    """Give a callback, whose training has begun, what it had gathered.

    Parameters
    ----------
    callback : skorch.callbacks.Callback
        The callback.
    saved : mapping
        What :func:`callback_state` gave.
    device : str or torch.device, default="cpu"
        Where tensors go that were on an accelerator.

    Returns
    -------
    list of str
        Names of the attributes that start anew; all of them, as ``"everything"``, for
        a callback of another class.

    Examples
    --------
    >>> from skorch.callbacks import EarlyStopping
    >>> early, other = EarlyStopping(patience=3), EarlyStopping(patience=5)
    >>> early.misses_ = 2
    >>> restore_callback(other, callback_state(early))
    []
    >>> other.misses_, other.patience
    (2, 5)
    """
    if saved["class"] != _name_of(callback):
        return ["everything"]
    if "state_dict" in saved:
        callback.load_state_dict(saved["state_dict"])
        return []
    lost = list(saved["lost"])
    for name, state in saved["states"].items():
        value: Any = getattr(callback, name, None)
        if value is not None and _has_state(value):
            value.load_state_dict(state)
        else:
            lost.append(name)
    for name, data in saved["values"].items():
        try:
            vars(callback)[name] = _from_bytes(data, device)
        except Exception:
            lost.append(name)
    return lost


def _name_of(callback: Any) -> str:
    return f"{type(callback).__module__}.{type(callback).__qualname__}"


def _has_state(value: Any) -> bool:
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict")


def _gathered(callback: Any) -> dict[str, Any]:
    """Attributes of a callback that are state."""
    arguments = inspect.signature(type(callback)).parameters
    # Such as those that LRScheduler hands on to torch.
    any_name = any(one.kind is one.VAR_KEYWORD for one in arguments.values())
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in arguments
        and not (any_name and not name.endswith("_"))
        and not isinstance(value, _NOT_STATE)
        # Those of the training itself are written with it.
        and not isinstance(value, (nn.Module, torch.optim.Optimizer))
    }


def _bytes_of(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _from_bytes(data: bytes, device: Any) -> Any:
    def place(storage: Any, location: str) -> Any:
        if location == "cpu":
            return storage
        return torch.serialization.default_restore_location(storage, str(device))

    return torch.load(io.BytesIO(data), map_location=place, weights_only=False)
