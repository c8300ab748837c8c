"""Out-of-fold predictions that keep vote targets intact."""

from hmsklearn.model_selection._oof import oof_predict_proba

__all__ = ["oof_predict_proba"]
