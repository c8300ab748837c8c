"""Torch modules: logits out, one architecture a file, a registry."""

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._output import NetOutput
from hmsklearn.nets._registry import (
    NetConfig,
    create_net,
    get_net,
    list_nets,
    net_config,
    register_net,
)
from hmsklearn.nets.mobilenet1d import MobileNet1D
from hmsklearn.nets.resnet1d_gru import ResNet1DGRU
from hmsklearn.nets.squeezeformer import Squeezeformer
from hmsklearn.nets.symmetric_net import SymmetricNet
from hmsklearn.nets.timm_net import TimmNet
from hmsklearn.nets.wavenet import WaveNet
from hmsklearn.nets.x3d import X3D
from hmsklearn.nets.x3d_weights import convert_pytorchvideo_state

__all__ = [
    "X3D",
    "BaseNet",
    "MobileNet1D",
    "NetConfig",
    "NetOutput",
    "ResNet1DGRU",
    "Squeezeformer",
    "SymmetricNet",
    "TimmNet",
    "WaveNet",
    "convert_pytorchvideo_state",
    "create_net",
    "get_net",
    "list_nets",
    "net_config",
    "register_net",
]
