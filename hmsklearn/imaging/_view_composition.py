"""What an estimator with named views owes to scikit-learn, and how views are fed.

Parameters of the views as ``name__parameter``, metadata, tags, the HTML representation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from hmsklearn._compat import (
    BaseComposition,
    VisualBlock,
    num_samples,
    routing_enabled,
)
from hmsklearn.imaging._views import (
    admit_input,
    first_step,
    fit_view,
    kept_views,
    learns,
    naming,
    view_output,
)
from hmsklearn.signal.arrays import Array, is_tensor

__all__ = ["ViewComposition"]


class ViewComposition(  # type: ignore[call-arg]  # TransformerMixin takes it
    TransformerMixin, BaseComposition, auto_wrap_output_keys=None
):
    """Base class of an estimator with ``views``, a list of named transformers.

    Subclasses have the parameter ``views`` and the fitted attribute ``views_``.
    """

    views: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, with `deep` those of the views as well.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the views by name and their parameters as
            ``name__parameter``.

        Returns
        -------
        dict
            Parameter names and values.
        """
        return self._get_params("views", deep=deep)

    def set_params(self, **params: Any) -> ViewComposition:
        """Set parameters of the union and of its views.

        Parameters
        ----------
        **params : dict
            Arguments of the constructor, views by name, or ``name__parameter``.

        Returns
        -------
        self : object
            The union.
        """
        self._set_params("views", **params)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Describe which metadata reach which view's ``fit``.

        Returns
        -------
        MetadataRouter
            The union as a router to its views.
        """
        to_fit = MethodMapping()
        for caller in ("fit", "fit_transform"):  # a pipeline calls the latter
            to_fit.add(caller=caller, callee="fit")
        router = MetadataRouter(owner=self)
        for name, view in self.views:
            if not isinstance(view, str):
                router.add(**{name: view}, method_mapping=to_fit)
        return router

    @property
    def n_features_in_(self) -> int:
        """What the first view saw in ``fit``."""
        for _, view in getattr(self, "views_", ()):
            if hasattr(view, "n_features_in_"):
                return view.n_features_in_
        raise AttributeError(
            f"{type(self).__name__} has no n_features_in_: it is not fitted, or no "
            "view tells."
        )

    def _route(self, params: dict[str, Any]) -> dict[str, dict[str, Any]]:
        if params and routing_enabled():
            routed = process_routing(self, "fit", **params)
            return {name: dict(routed[name]["fit"]) for name in routed}
        if params:
            raise ValueError(
                f"{type(self).__name__}: fit got {sorted(params)}, which only metadata "
                "routing can pass on. Switch it on with sklearn.set_config("
                "enable_metadata_routing=True)."
            )
        return {}

    def _fit_views(
        self, X: Any, y: Any, params: dict[str, Any], *, look: bool
    ) -> tuple[Any, list[tuple[str, Any]]]:
        """Return the checked `X` and fitted clones of what is not dropped."""
        caller = type(self).__name__
        views = kept_views(self.views, caller=caller)
        self._validate_names([name for name, _ in self.views])
        X = admit_input(X, caller=caller)
        routed = self._route(params)
        fitted = []
        for name, view in views:
            with naming(name, caller):
                own = routed.get(name, {})
                fitted.append((name, fit_view(view, X, y, own, look=look)))
        return X, fitted

    def _outputs(
        self, views: list[tuple[str, Any]], X: Any, first: int = 0
    ) -> list[Array]:
        """Transform a chunk by each view; `first` is the number of its first window."""
        caller = type(self).__name__
        results = []
        for name, view in views:
            with naming(name, caller, first):
                result = view_output(view, X)
                if not (isinstance(result, np.ndarray) or is_tensor(result)):
                    raise TypeError(f"gave a {type(result).__name__}, not an array.")
                if len(result) != num_samples(X):
                    raise ValueError(
                        f"gave {len(result)} windows for {num_samples(X)}. A view "
                        "must give one for each."
                    )
            results.append(result)
        return results

    def _names_of(self, name: str, view: Any, input_features: Any) -> list[str]:
        """Names of the planes of one view."""
        if isinstance(view, str):
            if input_features is not None:
                return [str(one) for one in input_features]
            return [f"x{i}" for i in range(self.n_features_in_)]
        if hasattr(view, "get_feature_names_out"):
            return list(view.get_feature_names_out(input_features))
        raise AttributeError(
            f"{type(self).__name__}: view {name!r} has no get_feature_names_out."
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "views_")

    def _sk_visual_block_(self) -> Any:
        names, views = zip(*self.views, strict=True)
        return VisualBlock("parallel", views, names=names)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.input_tags.two_d_array = False
        try:
            firsts = [first_step(view) for _, view in self.views]
            inner = [get_tags(step) for step in firsts if step is not None]
        except (AttributeError, TypeError, ValueError):
            # Not a list of transformers: fit says what is wrong.
            return tags
        for tag in ("three_d_array", "allow_nan", "string"):
            common = all(getattr(each.input_tags, tag) for each in inner)
            setattr(tags.input_tags, tag, bool(inner) and common)
        # What starts with a reader has no type of its input to keep.
        kept = all(each.transformer_tags.preserves_dtype for each in inner)
        both = ["float64", "float32"]
        tags.requires_fit = any(learns(view) for _, view in self.views)
        tags.transformer_tags.preserves_dtype = both if kept else []
        return tags
