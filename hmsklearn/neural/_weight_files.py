"""Files of weights: which one is meant, and the state dict in it."""

from __future__ import annotations

import _codecs
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

__all__ = ["find_files", "read_state"]

_SUFFIXES = (".pt", ".pth", ".safetensors", ".bin")
# How model hubs name the one file of a snapshot; the first is the better format.
_SNAPSHOT = ("model.safetensors", "pytorch_model.bin")
# Where checkpoints keep the state dict, in the order of preference that timm has too:
# averaged weights before those of the last step. The last two are our own.
_PLACES = (
    "state_dict_ema",
    "model_ema",
    "state_dict",
    "model",
    "model_state",
    "module",
    "state",
)
# Numbers of numpy in the history of a checkpoint: they hold no code.
_HARMLESS = [
    np.float64(0).__reduce__()[0],
    np.dtype,
    *{type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4", "?")},
    _codecs.encode,
]


def find_files(
    weights: Any, names: Collection[str], parts: Mapping[str, str], *, caller: str
) -> dict[str, Path]:
    """Find the file or files that a path stands for.

    Parameters
    ----------
    weights : str or path
        A file, or a folder.
    names : collection of str
        Names of the net, by which a folder's file is found.
    parts : mapping of str to str
        Backbones inside of the net: place and name. A folder may have a file for each.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict of str to Path
        The file by the place that it is for; ``""`` is the whole net.

    Raises
    ------
    FileNotFoundError
        If there is none, or more than one could be meant.
    ValueError
        If the file is not of a known kind.
    TypeError
        If `weights` is no path.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("eegnet.pth", "lstm.pth"):
    ...         (Path(folder) / name).touch()
    ...     files = find_files(folder, ["lstm"], {}, caller="doctest")
    >>> files[""].name
    'lstm.pth'
    """
    try:
        path = Path(weights)
    except TypeError:
        raise TypeError(
            f"{caller}: weights must be None, 'pretrained', a path or a fitted "
            f"estimator, got {type(weights).__name__}."
        ) from None
    if path.is_dir():
        return _look_into(path, names, parts, caller)
    if not path.is_file():
        raise FileNotFoundError(
            f"{caller}: the file of weights {str(path)!r} does not exist. Give None "
            "for random weights, 'pretrained' for timm's, or the path of a "
            f"{', '.join(_SUFFIXES)} file."
        )
    if path.suffix not in _SUFFIXES:
        raise ValueError(
            f"{caller}: weights {str(path)!r} is no {' or '.join(_SUFFIXES)} file."
        )
    return {"": path}


def _look_into(
    folder: Path, names: Collection[str], parts: Mapping[str, str], caller: str
) -> dict[str, Path]:
    files = sorted(p for p in folder.iterdir() if p.suffix in _SUFFIXES and p.is_file())
    chosen = [p for p in files if _plain(p.stem) in {_plain(name) for name in names}]
    if not chosen and parts:
        by_part = {
            place: [p for p in files if _plain(p.stem) == _plain(name)]
            for place, name in parts.items()
        }
        if all(len(found) == 1 for found in by_part.values()):
            return {place: found[0] for place, found in by_part.items()}
    if not chosen:
        chosen = [p for name in _SNAPSHOT for p in files if p.name == name][:1]
    if not chosen:
        chosen = files
    if len(chosen) == 1:
        return {"": chosen[0]}
    found = "none"
    if chosen:
        more = ", ..." if len(chosen) > 5 else ""
        listed = ", ".join(repr(p.name) for p in chosen[:5])
        found = f"{len(chosen)} that could be meant: {listed}{more}"
    wanted = " or ".join(map(repr, [*names, *parts.values()]))
    raise FileNotFoundError(
        f"{caller}: the folder of weights {str(folder)!r} must hold one "
        f"{', '.join(_SUFFIXES)} file, or one named {wanted}; it has {found}. Give "
        "the file's path."
    )


def _plain(name: str) -> str:
    """Name without the tag behind it that tells what the weights were trained on."""
    return name.split(".")[0]


def read_state(path: Path, *, caller: str) -> dict[str, torch.Tensor]:
    """Read the state dict in a file.

    Parameters
    ----------
    path : Path
        The file: safetensors, or what ``torch.save`` wrote.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict of str to Tensor
        The state dict, on the CPU; names without what wrappers of modules put in front
        of them.

    Raises
    ------
    ValueError
        If the file cannot be read, or has no state dict.

    Notes
    -----
    Pickled code is never run: a file that holds more than tensors, numbers, texts and
    containers of them is refused. Of a checkpoint that an estimator of this package
    wrote, the weights of the last step are taken, not their running mean.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "weights.pth"
    ...     torch.save({"state_dict": {"module.bias": torch.ones(2)}}, path)
    ...     read_state(path, caller="doctest")
    {'bias': tensor([1., 1.])}
    """
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path, device="cpu")
        else:
            with torch.serialization.safe_globals(_HARMLESS):  # type: ignore[arg-type]
                state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{caller}: the weights in {str(path)!r} cannot be read "
            f"({type(error).__name__}: {error}). Save model.state_dict() alone."
        ) from error
    state = _innermost(state)
    if not isinstance(state, Mapping) or not state:
        raise ValueError(
            f"{caller}: {str(path)!r} holds no state dict (found "
            f"{type(state).__name__}). Save model.state_dict() alone."
        )
    strangers = [name for name, value in state.items() if not torch.is_tensor(value)]
    if strangers:
        raise ValueError(
            f"{caller}: {str(path)!r} holds no state dict (found {strangers[:5]}). "
            "Save model.state_dict() alone."
        )
    # A compiled module calls itself so wherever it stands in another one.
    state = {name.replace("_orig_mod.", ""): value for name, value in state.items()}
    while all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def _innermost(state: Any) -> Any:
    """Go down to the state dict of a checkpoint."""
    while isinstance(state, Mapping):
        inner = [state[p] for p in _PLACES if isinstance(state.get(p), Mapping)]
        if not inner:
            break
        state = inner[0]
    return state
