"""What every estimator with named members owes to scikit-learn.

Parameters of the members as ``name__parameter``, tags, the HTML representation.
"""

from __future__ import annotations

from typing import Any

from sklearn.utils import get_tags

from hmsklearn._compat import BaseComposition, VisualBlock

__all__ = ["MemberComposition"]


class MemberComposition(BaseComposition):
    """Base class of estimators with ``estimators``, a list of named members.

    Subclasses have the parameters ``estimators`` and ``verbose`` and the fitted
    attribute ``estimators_``. Those with a final estimator have the method
    ``_blender()``, which makes it.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, with `deep` those of the members as well.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the members by name and their parameters as
            ``name__parameter``.

        Returns
        -------
        dict
            Parameter names and values.
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params: Any) -> MemberComposition:
        """Set parameters of the estimator and of its members.

        Parameters
        ----------
        **params : dict
            Arguments of the constructor, members by name (an estimator or
            ``"drop"``), or ``name__parameter``.

        Returns
        -------
        self : MemberComposition
            The estimator.
        """
        self._set_params("estimators", **params)
        return self

    @property
    def n_features_in_(self) -> int:
        """What the first member saw in ``fit``."""
        try:
            return self.estimators_[0].n_features_in_
        except AttributeError:
            raise AttributeError(
                f"{type(self).__name__} has no n_features_in_: it is not fitted, or "
                "its first member does not tell."
            ) from None

    def _sk_visual_block_(self) -> Any:
        names, estimators = zip(*self.estimators, strict=True)
        members = VisualBlock("parallel", estimators, names=names, dash_wrapped=False)
        blender = self._blender()
        if blender is None:
            return members
        final = VisualBlock(
            "parallel", [blender], names=["final_estimator"], dash_wrapped=False
        )
        return VisualBlock("serial", (members, final), dash_wrapped=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        try:
            inputs = [
                get_tags(estimator).input_tags
                for _, estimator in self.estimators
                if not isinstance(estimator, str)
            ]
        except (AttributeError, TypeError, ValueError):
            # Not a list of scikit-learn estimators: fit says what is wrong.
            return tags
        for tag in ("two_d_array", "three_d_array", "sparse", "allow_nan"):
            setattr(tags.input_tags, tag, all(getattr(each, tag) for each in inputs))
        return tags

    def _blender(self) -> Any:
        """Make the final estimator; None where there is none."""
        return None

    def _say(self, text: str) -> None:
        if self.verbose > 0:
            print(f"[{type(self).__name__}] {text}", flush=True)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")
