"""Building blocks of the nets, one idea a file."""

from hmsklearn.nets.layers.checkpointing import checkpoint_sequential
from hmsklearn.nets.layers.gem import GeM, gem
from hmsklearn.nets.layers.input_norm import InputNorm
from hmsklearn.nets.layers.last_step_gru import LastStepBiGRU
from hmsklearn.nets.layers.multi_kernel import MultiKernelConv1d
from hmsklearn.nets.layers.preact1d import PreActPoolBlock1d
from hmsklearn.nets.layers.vote_head import VoteHead

__all__ = [
    "GeM",
    "InputNorm",
    "LastStepBiGRU",
    "MultiKernelConv1d",
    "PreActPoolBlock1d",
    "VoteHead",
    "checkpoint_sequential",
    "gem",
]
