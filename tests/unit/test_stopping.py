"""Signals become an event, once and twice, and the handlers are put back."""

import os
import signal
import threading

import pytest

from retention_worker import stopping


def test_a_signal_sets_the_event() -> None:
    """SIGTERM ends in order with 0, Ctrl-C with 130; before and after, the handlers are others."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
        stop = threading.Event()
        with stopping.on_signals(stop) as asked:
            assert asked.exit_code == 0
            os.kill(os.getpid(), number)
            assert stop.wait(5)
        assert asked.exit_code == code
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_second_ctrl_c_insists() -> None:
    """The first waits for the batch in hand; the second does not, unless nobody is there."""
    stop = threading.Event()
    with stopping.on_signals(stop):
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with stopping.on_signals(stop, insist=False) as asked:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert asked.by is signal.SIGTERM


def test_another_thread_leaves_the_handlers_alone() -> None:
    """Only the main thread may set them; elsewhere the event is all there is."""
    found: list[int] = []

    def run() -> None:
        with stopping.on_signals(threading.Event()) as asked:
            found.append(asked.exit_code)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [0]
