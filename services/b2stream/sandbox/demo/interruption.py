"""That somebody wants the demo to end. Python raises KeyboardInterrupt wherever the main thread happens to be, and a callback of a
library, or of a collected object, may swallow it there: so whoever works in a loop asks here as well.
"""

import threading

_asked = threading.Event()


def ask() -> None:
    """The demo is to end."""
    _asked.set()


def forget() -> None:
    """A new demo begins."""
    _asked.clear()


def raise_if_asked() -> None:
    """Raises KeyboardInterrupt if the demo is to end."""
    if _asked.is_set():
        raise KeyboardInterrupt
