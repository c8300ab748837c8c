"""Derivations: which electrode minus which, in what order, in which chain.

Clinicians call a set of derivations a montage. One :class:`Montage` object knows the
weights, names, chains, order and symmetries of the derivations, so that transformers,
flips and plots cannot disagree about them.
"""

from hmsklearn.montage._derivation import Derivation
from hmsklearn.montage._flip import Flip
from hmsklearn.montage._montage import Montage
from hmsklearn.montage._names import (
    CH_NAMES,
    canonical_name,
    front_back_electrode,
    mirror_electrode,
    pick_channels,
)
from hmsklearn.montage._ready import MONTAGES, get_montage

__all__ = [
    "CH_NAMES",
    "MONTAGES",
    "Derivation",
    "Flip",
    "Montage",
    "canonical_name",
    "front_back_electrode",
    "get_montage",
    "mirror_electrode",
    "pick_channels",
]
