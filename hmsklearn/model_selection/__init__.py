"""Folds of whole patients, rows without copies, and predictions out of fold."""

from hmsklearn.model_selection._imbalance import fold_imbalance
from hmsklearn.model_selection._oof import oof_predict_proba
from hmsklearn.model_selection._vote_stratified import VoteStratifiedGroupKFold

__all__ = ["VoteStratifiedGroupKFold", "fold_imbalance", "oof_predict_proba"]
