"""Torch modules: logits out, one architecture a file, a registry."""

from hmsklearn.nets._ast_weights import load_vit_weights
from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._build_multi_view import BranchSpec, build_multi_view
from hmsklearn.nets._output import NetOutput
from hmsklearn.nets._registry import (
    NetConfig,
    create_net,
    get_net,
    list_nets,
    net_config,
    register_net,
)
from hmsklearn.nets.ast import AST
from hmsklearn.nets.chain_neck import ChainNeck
from hmsklearn.nets.eegnet import EEGNet
from hmsklearn.nets.mil_attention import MILAttention
from hmsklearn.nets.mobilenet1d import MobileNet1D
from hmsklearn.nets.multi_kernel_2d import MultiKernel2d
from hmsklearn.nets.multi_kernel_bigru import MultiKernelBiGRU
from hmsklearn.nets.multi_kernel_stem import MultiKernelStem
from hmsklearn.nets.multi_view import MultiViewNet
from hmsklearn.nets.node_attention import NodeAttention
from hmsklearn.nets.recurrent_net import RecurrentNet
from hmsklearn.nets.residual3d import Residual3d
from hmsklearn.nets.resnet1d_gru import ResNet1DGRU
from hmsklearn.nets.squeezeformer import Squeezeformer
from hmsklearn.nets.stem_merge_net import StemMergeNet
from hmsklearn.nets.symmetric_net import SymmetricNet
from hmsklearn.nets.timm_net import TimmNet
from hmsklearn.nets.wavenet import WaveNet
from hmsklearn.nets.wavenet_2d import WaveNet2d
from hmsklearn.nets.wavenet_image_net import WaveNetImageNet
from hmsklearn.nets.x3d import X3D
from hmsklearn.nets.x3d_weights import convert_pytorchvideo_state

__all__ = [
    "AST",
    "X3D",
    "BaseNet",
    "BranchSpec",
    "ChainNeck",
    "EEGNet",
    "MILAttention",
    "MobileNet1D",
    "MultiKernel2d",
    "MultiKernelBiGRU",
    "MultiKernelStem",
    "MultiViewNet",
    "NetConfig",
    "NetOutput",
    "NodeAttention",
    "RecurrentNet",
    "ResNet1DGRU",
    "Residual3d",
    "Squeezeformer",
    "StemMergeNet",
    "SymmetricNet",
    "TimmNet",
    "WaveNet",
    "WaveNet2d",
    "WaveNetImageNet",
    "build_multi_view",
    "convert_pytorchvideo_state",
    "create_net",
    "get_net",
    "list_nets",
    "load_vit_weights",
    "net_config",
    "register_net",
]
