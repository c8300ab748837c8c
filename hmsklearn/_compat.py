"""The one place that touches what scikit-learn does not promise to keep.

Meta-estimators need a few helpers that scikit-learn exports under a leading
underscore or has moved between the supported versions. They are imported here and
nowhere else, so that a new release breaks one file at most.
"""

from __future__ import annotations

import sklearn
from sklearn.metrics._scorer import _BaseScorer as BaseScorer
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.validation import _check_method_params as slice_fit_params
from sklearn.utils.validation import _num_samples as num_samples

try:
    from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
except ModuleNotFoundError:  # scikit-learn 1.6
    from sklearn.utils._estimator_html_repr import _VisualBlock as VisualBlock

__all__ = [
    "BaseComposition",
    "BaseScorer",
    "VisualBlock",
    "num_samples",
    "routing_enabled",
    "safe_indexing",
    "slice_fit_params",
]


def routing_enabled() -> bool:
    """Tell whether scikit-learn's metadata routing is switched on.

    Returns
    -------
    bool
        The value of ``sklearn.get_config()["enable_metadata_routing"]``.

    Examples
    --------
    >>> import sklearn
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     routing_enabled()
    True
    """
    return bool(sklearn.get_config()["enable_metadata_routing"])
