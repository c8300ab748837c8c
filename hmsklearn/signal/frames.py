"""Where the frames of a short-time transform lie, and what continues the signal.

Libraries agree on the transform of a frame and differ in where the first frame begins,
how many there are and what stands before the first sample. That is settled here, in
samples that carry weight: zeros around a window never cost anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided

__all__ = ["FRAMINGS", "PAD_MODES", "FrameLayout"]

#: How frames are counted, see :meth:`FrameLayout.make`.
FRAMINGS = ("torch", "scipy")
#: What continues the signal: zeros, or its mirror image.
PAD_MODES = ("constant", "reflect")


@dataclass(frozen=True)
class FrameLayout:
    """Position of the frames of one signal.

    Attributes
    ----------
    n_times : int
        Number of samples of the signal.
    first : int
        Sample under the first weight of the first frame; negative in the padding.
    count : int
        Number of frames.
    length : int
        Samples under the window.
    hop_length : int
        Samples from frame to frame.
    pad_mode : {"constant", "reflect"}
        What continues the signal.
    mirrored : int
        Samples after the end that ``"reflect"`` mirrors; zeros follow.

    Examples
    --------
    >>> layout = FrameLayout.make(10_000, length=128, n_fft=1024, hop_length=39)
    >>> layout.first, layout.count, layout.stop
    (-64, 257, 10048)
    """

    n_times: int
    first: int
    count: int
    length: int
    hop_length: int
    pad_mode: str = "constant"
    mirrored: int = 0

    @classmethod
    def make(
        cls,
        n_times: int,
        *,
        length: int,
        n_fft: int,
        hop_length: int,
        center: bool = True,
        pad_mode: str = "constant",
        framing: str = "torch",
        caller: str = "FrameLayout",
    ) -> FrameLayout:
        """Place the frames.

        Parameters
        ----------
        n_times : int
            Number of samples.
        length : int
            Samples under the window, at most `n_fft`.
        n_fft : int
            Length of the transform.
        hop_length : int
            Samples from frame to frame.
        center : bool, default=True
            Whether half a frame is added at both ends.
        pad_mode : {"constant", "reflect"}, default="constant"
            What is added: zeros, or the signal mirrored at its first and last sample.
        framing : {"torch", "scipy"}, default="torch"
            ``"torch"``, and librosa: a frame is `n_fft` samples with the window in
            their middle, and what is too short for a frame at the end is left out.
            ``"scipy"``: a frame is the window; with `center` the end is filled with
            zeros until the last frame is whole.
        caller : str, default="FrameLayout"
            Name that starts the error messages.

        Returns
        -------
        FrameLayout
            The layout.

        Raises
        ------
        ValueError
            If there are not enough samples.
        """
        span = n_fft if framing == "torch" else length
        before = span // 2 if center else 0
        total = n_times + 2 * before
        # SciPy would shorten a window that is longer than the signal, and with it
        # the number of rows.
        least = span if framing == "scipy" else span - 2 * before
        if n_times < least:
            raise ValueError(
                f"{caller}: X has {n_times} samples in time (last axis), at least "
                f"{least} are needed for one frame. Give longer windows or shorter "
                "frames."
            )
        if framing == "scipy" and center:
            total += -(total - span) % hop_length
        count = 1 + (total - span) // hop_length
        first = (span - length) // 2 - before
        layout = cls(n_times, first, count, length, hop_length, pad_mode, before)
        needed = max(-first, min(layout.stop - n_times, before))
        if pad_mode == "reflect" and needed >= n_times:
            raise ValueError(
                f"{caller}: X has {n_times} samples in time (last axis), at least "
                f"{needed + 1} are needed to mirror {needed} of them. Give longer "
                "windows, a shorter window function or pad_mode='constant'."
            )
        return layout

    @property
    def stop(self) -> int:
        """Sample after the last one under a window."""
        return self.first + (self.count - 1) * self.hop_length + self.length

    def fill(self, signals: np.ndarray, buffer: np.ndarray) -> None:
        """Write continued signals.

        Parameters
        ----------
        signals : ndarray of shape (..., n_times)
            The signals.
        buffer : ndarray of shape (..., stop - first)
            Where to write; outside the signal and its mirror images it must hold zeros.
        """
        first, last = max(0, self.first), min(self.n_times, self.stop)
        start = first - self.first
        buffer[..., start : start + last - first] = signals[..., first:last]
        if self.pad_mode == "reflect":
            before, after = self._mirrored()
            if before:
                buffer[..., :before] = signals[..., before:0:-1]
            if after:
                end = start + last - first
                buffer[..., end : end + after] = signals[..., -2 : -after - 2 : -1]

    def frames(self, buffer: np.ndarray) -> np.ndarray:
        """Look at a filled buffer frame by frame.

        Parameters
        ----------
        buffer : ndarray of shape (..., stop - first)
            What :meth:`fill` wrote into.

        Returns
        -------
        ndarray of shape (..., count, length)
            A view. Do not write into it.
        """
        *outer, item = buffer.strides
        return as_strided(
            buffer,
            (*buffer.shape[:-1], self.count, self.length),
            (*outer, self.hop_length * item, item),
        )

    def continued(self, X: torch.Tensor) -> torch.Tensor:
        """Continue tensors by what lies under the first and the last frames.

        Parameters
        ----------
        X : Tensor of shape (..., n_times)
            Signals.

        Returns
        -------
        Tensor of shape (..., stop - first)
            To be unfolded into frames. A view where the signal needs no padding.
        """
        parts = [X[..., max(0, self.first) : self.stop]]
        before, after = max(0, -self.first), max(0, self.stop - self.n_times)
        if self.pad_mode == "reflect":
            mirrored_before, mirrored_after = self._mirrored()
            if mirrored_before:
                parts.insert(0, X[..., 1 : mirrored_before + 1].flip(-1))
            if mirrored_after:
                parts.append(X[..., -mirrored_after - 1 : -1].flip(-1))
            before -= mirrored_before
            after -= mirrored_after
        whole = torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]
        if before or after:
            whole = torch.nn.functional.pad(whole, (before, after))
        return whole

    def _mirrored(self) -> tuple[int, int]:
        after = min(self.stop - self.n_times, self.mirrored)
        return max(0, -self.first), max(0, after)
