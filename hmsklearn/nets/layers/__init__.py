"""Building blocks of the nets, one idea a file."""

from hmsklearn.nets.layers.attention_pool import AttentionPool
from hmsklearn.nets.layers.checkpointing import checkpoint_sequential
from hmsklearn.nets.layers.gem import GeM, gem
from hmsklearn.nets.layers.input_norm import InputNorm
from hmsklearn.nets.layers.last_step_gru import LastStepBiGRU
from hmsklearn.nets.layers.multi_kernel import MultiKernelConv1d
from hmsklearn.nets.layers.multi_kernel_maps import MultiKernelMaps1d
from hmsklearn.nets.layers.pooling import POOLS, GlobalPool, create_pool
from hmsklearn.nets.layers.preact1d import PreActPoolBlock1d
from hmsklearn.nets.layers.recomputed_norms import count_batches_once
from hmsklearn.nets.layers.recurrent_pool import RecurrentPool
from hmsklearn.nets.layers.sequence_pool import SequencePool
from hmsklearn.nets.layers.squeeze_excite3d import SqueezeExcite3d
from hmsklearn.nets.layers.triplet_attention import (
    TripletAttention,
    add_triplet_attention,
)
from hmsklearn.nets.layers.vote_head import VoteHead
from hmsklearn.nets.layers.wavenet_block import WaveNetBlock
from hmsklearn.nets.layers.wavenet_image import WaveNetImage
from hmsklearn.nets.layers.wavenet_maps import WaveNetMaps
from hmsklearn.nets.layers.wavenet_stack import WaveNetStack
from hmsklearn.nets.layers.x3d_block import X3DBlock

__all__ = [
    "POOLS",
    "AttentionPool",
    "GeM",
    "GlobalPool",
    "InputNorm",
    "LastStepBiGRU",
    "MultiKernelConv1d",
    "MultiKernelMaps1d",
    "PreActPoolBlock1d",
    "RecurrentPool",
    "SequencePool",
    "SqueezeExcite3d",
    "TripletAttention",
    "VoteHead",
    "WaveNetBlock",
    "WaveNetImage",
    "WaveNetMaps",
    "WaveNetStack",
    "X3DBlock",
    "add_triplet_attention",
    "checkpoint_sequential",
    "count_batches_once",
    "create_pool",
    "gem",
]
