"""The competition's score, as a function and as scikit-learn scorers."""

from hmsklearn.metrics._kl import (
    EPSILON,
    check_weight,
    kl_divergence,
    kl_scorer,
    make_kl_scorer,
)

__all__ = ["EPSILON", "check_weight", "kl_divergence", "kl_scorer", "make_kl_scorer"]
