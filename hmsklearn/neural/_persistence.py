"""Weights as one block of bytes, whatever device they were on."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from skorch import NeuralNet

from hmsklearn.neural._device import seeded
from hmsklearn.neural._losses import make_loss

__all__ = ["PackedNet", "PackedWeights", "pack_weights", "unpack_weights"]


class PackedWeights(NamedTuple):
    """A state dict that pickles to its own size.

    Attributes
    ----------
    layout : bytes
        Name, type and shape of every tensor, in order: JSON, compressed, since the
        names of a deep net say the same again and again.
    data : ndarray of uint8
        Their bytes, one after the other.
    """

    layout: bytes
    data: np.ndarray


def pack_weights(state: Mapping[str, torch.Tensor]) -> PackedWeights:
    """Copy a state dict into one array on the CPU.

    Parameters
    ----------
    state : mapping of str to Tensor
        The state dict, on any device.

    Returns
    -------
    PackedWeights
        Names, shapes and bytes: pickling hundreds of tensors one by one costs a
        kilobyte each and ties the file to the device.

    Examples
    --------
    >>> packed = pack_weights({"weight": torch.ones(2, 3)})
    >>> packed.data.nbytes
    24
    """
    tensors = {name: value.detach().cpu() for name, value in state.items()}
    layout = [
        [name, str(value.dtype).removeprefix("torch."), list(value.shape)]
        for name, value in tensors.items()
    ]
    parts = [
        value.contiguous().reshape(-1).view(torch.uint8).numpy()
        for value in tensors.values()
    ]
    return PackedWeights(
        zlib.compress(json.dumps(layout).encode(), 9),
        np.concatenate(parts) if parts else np.empty(0, "u1"),
    )


def unpack_weights(packed: PackedWeights) -> dict[str, torch.Tensor]:
    """Make a state dict of packed weights.

    Parameters
    ----------
    packed : PackedWeights
        What :func:`pack_weights` gave.

    Returns
    -------
    dict of str to Tensor
        CPU tensors of their own.

    Raises
    ------
    ValueError
        If the block is shorter or longer than its layout says.

    Examples
    --------
    >>> unpack_weights(pack_weights({"weight": torch.ones(2)}))
    {'weight': tensor([1., 1.])}
    """
    state: dict[str, Any] = {}
    start = 0
    layout = json.loads(zlib.decompress(packed.layout))
    for name, dtype_name, shape in layout:
        dtype = getattr(torch, dtype_name)
        stop = start + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        block = packed.data[start:stop]
        if block.nbytes != stop - start:
            break
        # Copied into memory of its own: the block is not aligned to every type.
        state[name] = torch.empty(shape, dtype=dtype)
        state[name].view(-1).view(torch.uint8).numpy()[:] = block
        start = stop
    if start != packed.data.nbytes or len(state) != len(layout):
        raise ValueError(
            f"The saved weights hold {packed.data.nbytes} bytes, which does not match "
            "their layout: the file is damaged. Dump the estimator again."
        )
    return state


class PackedNet(NeuralNet):
    """The part of :class:`hmsklearn.neural._net.VoteNet` that is about saving.

    Notes
    -----
    A pickle holds how to build the module and its weights, on the CPU, and a loss that
    has learned something: no optimizer, no callbacks, no history, no reference to a
    device. Loading builds the module
    anew, without network, and leaves torch's random state alone.

    Examples
    --------
    >>> issubclass(PackedNet, NeuralNet)
    True
    """

    module_: Any

    def move_to(self, device: str) -> PackedNet:
        """Move the module to another device.

        Parameters
        ----------
        device : str
            The device.

        Returns
        -------
        self : PackedNet
            The net.
        """
        self.device = device
        self.__dict__["engine_"] = None
        self.module_ = self.module_.to(device)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """How to build the module, and its weights on the CPU; nothing else."""
        state = {
            "factory": self.factory,
            "factory_params": self.factory_params,
            "input_norm": self.input_norm,
            "frontend": self.frontend,
            "head": self.head,
            "jitter": self.jitter,
            "caller": self.caller,
            "channels_last": self.channels_last,
            "batch_size": self.batch_size,
            "reader": self.reader_,
            "weights": pack_weights(self.module_.state_dict()),
        }
        if self.loss_ is not None:
            state["loss"] = (*self.loss_from_, pack_weights(self.loss_.state_dict()))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the module on the CPU and put the weights in."""
        settings = dict(state)
        weights = unpack_weights(settings.pop("weights"))
        reader, learned = settings.pop("reader"), settings.pop("loss", None)
        self.__init__(**settings)  # type: ignore[misc]
        self.__dict__["reader_"] = reader
        # Building draws initial weights: not from the caller's random state, and not
        # from that of another thread, which trains.
        with seeded(0, "cpu"):
            self._initialize_virtual_params()
            self._initialize_callbacks()
            self._initialize_module()
            if learned is not None:
                self._load_loss(*learned)
        self.module_.load_state_dict(weights)
        self.module_.eval()
        self._initialize_history()
        self.initialized_ = True
        self._trimmed_for_prediction = True

    def _load_loss(self, loss: Any, params: Any, learned: PackedWeights) -> None:
        made = make_loss(loss, params, caller=self.caller)
        made.load_state_dict(unpack_weights(learned))
        made.requires_grad_(False)
        self.__dict__.update(loss_=made, loss_from_=(loss, params))
