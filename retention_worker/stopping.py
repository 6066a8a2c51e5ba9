"""Turns SIGTERM and SIGINT into the event that ends a sweep after the batch in hand."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """What asked to stop, if anything did."""

    def __init__(self) -> None:
        self.by: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, so that a shell's loop ends too; 0 after SIGTERM, which is in order."""
        return 130 if self.by is signal.SIGINT else 0


@contextmanager
def on_signals(stop: threading.Event, *, insist: bool = True) -> Iterator[StopRequest]:
    """While inside, a signal sets `stop`; afterwards the handlers are as before.

    Args:
        stop: set by the first signal.
        insist: a second Ctrl-C raises KeyboardInterrupt, for a person who waits at a terminal.

    From another thread than the main one, where no handler can be set, nothing is done.
    """
    asked = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    received: SimpleQueue[bool] = SimpleQueue()

    def handle(number: int, _: FrameType | None) -> None:
        again, asked.by = asked.by is not None, signal.Signals(number)
        # An event has a lock, which the code that was interrupted may hold: a handler may not
        # touch it. The queue's put() is made for handlers.
        received.put(True)
        if again and insist and number == signal.SIGINT:
            raise KeyboardInterrupt

    def forward() -> None:
        while received.get():
            stop.set()

    thread = threading.Thread(target=forward, name="signals", daemon=True)
    thread.start()
    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        received.put(False)
        thread.join()
