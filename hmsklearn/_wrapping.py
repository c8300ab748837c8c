"""What classifiers have in common that wrap one ``estimator``."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from hmsklearn._compat import routing_enabled
from hmsklearn._fit_key import fit_key

__all__ = ["FeaturesOfEstimator", "RoutesToEstimator"]


class FeaturesOfEstimator:
    """Mixin of what keeps a fitted ``estimator_``: its ``n_features_in_``."""

    estimator_: Any

    @property
    def n_features_in_(self) -> int:
        """What the estimator saw in ``fit``."""
        try:
            return self.estimator_.n_features_in_
        except AttributeError:
            raise AttributeError(
                f"{type(self).__name__} has no n_features_in_: it is not fitted, or "
                "its estimator does not tell."
            ) from None


class RoutesToEstimator:
    """Mixin of what fits clones of ``estimator``: metadata for their ``fit``."""

    estimator: Any

    def get_metadata_routing(self) -> MetadataRouter:
        """Describe which metadata ``fit`` takes and passes on.

        Returns
        -------
        MetadataRouter
            The classifier as a consumer of `groups` and `sample_weight`, and as a
            router to the estimator's ``fit``.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=to_fit)

    def _fit_key(self, parameter: str) -> str | None:
        """Tell under which name metadata reach the estimator without routing."""
        return fit_key(self.estimator, parameter)

    def _route(
        self, groups: Any, weight: np.ndarray | None, fit_params: dict[str, Any]
    ) -> dict[str, Any]:
        """Decide what reaches the estimator's ``fit``."""
        if routing_enabled():
            metadata = {"groups": groups, "sample_weight": weight, **fit_params}
            given = {key: value for key, value in metadata.items() if value is not None}
            return dict(process_routing(self, "fit", **given)["estimator"]["fit"])
        params = dict(fit_params)
        groups_as = self._fit_key("groups")
        if groups is not None and groups_as is not None:
            # An estimator that divides its rows once more keeps patients whole.
            params.setdefault(groups_as, groups)
        if weight is None or any(key.endswith("sample_weight") for key in params):
            return params
        weight_as = self._fit_key("sample_weight")
        if weight_as is None:
            raise TypeError(
                f"{type(self).__name__}: fit of {type(self.estimator).__name__} takes "
                "no sample_weight. Name the step of a pipeline that takes it "
                "(step__sample_weight=...) as well, or switch on scikit-learn's "
                "metadata routing and request it there."
            )
        return {**params, weight_as: weight}
