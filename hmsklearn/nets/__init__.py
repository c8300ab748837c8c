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
from hmsklearn.nets.eegnet import EEGNet
from hmsklearn.nets.mobilenet1d import MobileNet1D
from hmsklearn.nets.multi_kernel_bigru import MultiKernelBiGRU
from hmsklearn.nets.node_attention import NodeAttention
from hmsklearn.nets.recurrent_net import RecurrentNet
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
    "EEGNet",
    "MobileNet1D",
    "MultiKernelBiGRU",
    "NetConfig",
    "NetOutput",
    "NodeAttention",
    "RecurrentNet",
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
