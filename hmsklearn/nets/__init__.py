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
from hmsklearn.nets.resnet1d_gru import ResNet1DGRU
from hmsklearn.nets.timm_net import TimmNet

__all__ = [
    "BaseNet",
    "NetConfig",
    "NetOutput",
    "ResNet1DGRU",
    "TimmNet",
    "create_net",
    "get_net",
    "list_nets",
    "net_config",
    "register_net",
]
