"""Building blocks of the nets, one idea a file."""

from hmsklearn.nets.layers.attention_pool import AttentionPool, SelfAttentionPool
from hmsklearn.nets.layers.cbam import CBAM
from hmsklearn.nets.layers.channel_mixer import ChannelMixer
from hmsklearn.nets.layers.checkpointing import checkpoint_sequential
from hmsklearn.nets.layers.conv_norm_elu import ConvNormELU
from hmsklearn.nets.layers.depthwise_conv3d import DepthwiseConv3d
from hmsklearn.nets.layers.electrode_stem import ElectrodeStem
from hmsklearn.nets.layers.feed_forward import FeedForward
from hmsklearn.nets.layers.gem import GeM, gem
from hmsklearn.nets.layers.glu_conv import GLUConv1d
from hmsklearn.nets.layers.info_nce import InfoNCE
from hmsklearn.nets.layers.input_norm import InputNorm
from hmsklearn.nets.layers.inverted_residual1d import InvertedResidual1d
from hmsklearn.nets.layers.last_step_gru import LastStepBiGRU
from hmsklearn.nets.layers.max_norm_conv import MaxNormConv2d
from hmsklearn.nets.layers.mean_steps import MeanSteps
from hmsklearn.nets.layers.missing_share import MissingShareHead, missing_share
from hmsklearn.nets.layers.multi_kernel import MultiKernelConv1d
from hmsklearn.nets.layers.multi_kernel_maps import MultiKernelMaps1d
from hmsklearn.nets.layers.multi_kernel_rows import MultiKernelRows
from hmsklearn.nets.layers.multi_kernel_se import MultiKernelSE
from hmsklearn.nets.layers.node_attention_block import NodeAttentionBlock
from hmsklearn.nets.layers.node_encoder import NodeEncoder
from hmsklearn.nets.layers.pool_stage import PoolStage
from hmsklearn.nets.layers.pooling import POOLS, GlobalPool, create_pool
from hmsklearn.nets.layers.post_norm import PostNorm
from hmsklearn.nets.layers.preact1d import PreActPoolBlock1d
from hmsklearn.nets.layers.recomputed_norms import count_batches_once
from hmsklearn.nets.layers.recurrent_pool import RecurrentPool
from hmsklearn.nets.layers.residual_conv3d import ResidualConv3d
from hmsklearn.nets.layers.residual_pool1d import ResidualPool1d
from hmsklearn.nets.layers.residual_se1d import ResidualSE1d
from hmsklearn.nets.layers.resize_map import ResizeMap
from hmsklearn.nets.layers.rotary import rotary_angles, rotate
from hmsklearn.nets.layers.rotary_attention import RotaryAttention
from hmsklearn.nets.layers.row_encoder import RowEncoder
from hmsklearn.nets.layers.sequence_pool import SequencePool
from hmsklearn.nets.layers.side_merge import SideMerge
from hmsklearn.nets.layers.squeeze_excite import SqueezeExcite
from hmsklearn.nets.layers.squeeze_excite3d import SqueezeExcite3d
from hmsklearn.nets.layers.squeezeformer_block import SqueezeformerBlock
from hmsklearn.nets.layers.stem_merge import StemMerge
from hmsklearn.nets.layers.triplet_attention import (
    TripletAttention,
    add_triplet_attention,
)
from hmsklearn.nets.layers.view_fusion import ViewFusion
from hmsklearn.nets.layers.vote_head import VoteHead
from hmsklearn.nets.layers.wavenet_block import WaveNetBlock
from hmsklearn.nets.layers.wavenet_image import WaveNetImage
from hmsklearn.nets.layers.wavenet_maps import WaveNetMaps
from hmsklearn.nets.layers.wavenet_stack import WaveNetStack
from hmsklearn.nets.layers.x3d_block import X3DBlock

__all__ = [
    "CBAM",
    "POOLS",
    "AttentionPool",
    "ChannelMixer",
    "ConvNormELU",
    "DepthwiseConv3d",
    "ElectrodeStem",
    "FeedForward",
    "GLUConv1d",
    "GeM",
    "GlobalPool",
    "InfoNCE",
    "InputNorm",
    "InvertedResidual1d",
    "LastStepBiGRU",
    "MaxNormConv2d",
    "MeanSteps",
    "MissingShareHead",
    "MultiKernelConv1d",
    "MultiKernelMaps1d",
    "MultiKernelRows",
    "MultiKernelSE",
    "NodeAttentionBlock",
    "NodeEncoder",
    "PoolStage",
    "PostNorm",
    "PreActPoolBlock1d",
    "RecurrentPool",
    "ResidualConv3d",
    "ResidualPool1d",
    "ResidualSE1d",
    "ResizeMap",
    "RotaryAttention",
    "RowEncoder",
    "SelfAttentionPool",
    "SequencePool",
    "SideMerge",
    "SqueezeExcite",
    "SqueezeExcite3d",
    "SqueezeformerBlock",
    "StemMerge",
    "TripletAttention",
    "ViewFusion",
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
    "missing_share",
    "rotary_angles",
    "rotate",
]
