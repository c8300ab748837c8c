"""The user's Ctrl-C, told from the KeyboardInterrupt that a callback raises."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from typing import Any

__all__ = ["CtrlC"]


class CtrlC:
    """Notice whether the user presses Ctrl-C within a ``with`` block.

    Attributes
    ----------
    pressed : bool
        Whether it was pressed and raised a KeyboardInterrupt.

    Notes
    -----
    Only what handles the signal in the main thread of the main process is wrapped, for
    the time of the block: it is called as before, and is back in its place afterwards.
    Elsewhere, in threads and in the workers of joblib, nothing is touched and nothing
    is noticed. The same goes for a signal that is ignored, or not handled in Python.

    Examples
    --------
    >>> with CtrlC() as ctrl_c:
    ...     pass
    >>> ctrl_c.pressed
    False
    """

    def __init__(self) -> None:
        self.pressed = False
        self.former_: Any = None

    def __enter__(self) -> CtrlC:
        former = signal.getsignal(signal.SIGINT)
        if _is_ours() and callable(former):
            self.former_ = former
            try:
                signal.signal(signal.SIGINT, self._handle)
            except BaseException:
                # Pressed at this very moment, with the handler in its place.
                signal.signal(signal.SIGINT, former)
                raise
        return self

    def __exit__(self, *error: Any) -> None:
        if self.former_ is None:
            return
        try:
            signal.signal(signal.SIGINT, self.former_)
        except BaseException:
            # Python looks at what is pending before it changes the handler.
            signal.signal(signal.SIGINT, self.former_)
            raise

    def _handle(self, number: int, frame: Any) -> None:
        try:
            self.former_(number, frame)
        except KeyboardInterrupt:
            self.pressed = True
            raise


def _is_ours() -> bool:
    main_thread = threading.current_thread() is threading.main_thread()
    # The workers of joblib are processes that multiprocessing knows of.
    return main_thread and multiprocessing.parent_process() is None
