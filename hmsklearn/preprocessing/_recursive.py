"""What the transformers with recursive filters have in common: phase and padding."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_integer
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.filter_padding import default_padlen, ringing_samples
from hmsklearn.signal.filters import filter_causal, filter_zero_phase
from hmsklearn.signal.realisation import realise

__all__ = ["BaseRecursiveFilter"]


class BaseRecursiveFilter(BaseSignalTransformer):
    """Base class of transformers that filter with second-order sections.

    Subclasses have the parameters ``phase`` and ``padlen``, and hand their sections to
    ``_fit_sections`` in ``_fit``.
    """

    phase: str
    padlen: int | str | None

    def _check_phase(self) -> None:
        caller = type(self).__name__
        check_choice(self.phase, "phase", ("zero", "causal"), caller=caller)
        if self.phase == "causal" and self.padlen is not None:
            raise ValueError(
                f"{caller}: padlen={self.padlen!r} has no meaning with "
                "phase='causal', which continues no end. Leave it None."
            )

    def _fit_sections(self, X: Array, sos: np.ndarray) -> None:
        caller = type(self).__name__
        self._check_phase()
        realise(sos, caller=caller)  # not everything that can be designed can be run
        if self.phase == "causal":
            padlen = 0
        elif self.padlen is None:
            padlen = default_padlen(sos)
        elif isinstance(self.padlen, str):
            check_choice(self.padlen, "padlen", (None, "mne"), caller=caller)
            padlen = ringing_samples(sos)
        else:
            padlen = check_integer(self.padlen, "padlen", caller=caller, low=0)
        self.sos_ = sos
        self.padlen_ = padlen
        self._padlen_for(X)

    def _padlen_for(self, X: Array) -> int:
        n_times = X.shape[-1]
        if self.padlen == "mne":
            return min(self.padlen_, n_times - 1)
        if n_times <= self.padlen_:
            raise ValueError(
                f"{type(self).__name__}: X has {n_times} samples in time (last axis), "
                f"at least {self.padlen_ + 1} are needed for a padding of "
                f"{self.padlen_}. Give longer windows or a smaller padlen."
            )
        return self.padlen_

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        self._padlen_for(X)
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        if self.phase == "causal":
            return filter_causal(X, self.sos_, out=out)
        padlen = self._padlen_for(X)
        return filter_zero_phase(X, self.sos_, padlen=padlen, out=out)
