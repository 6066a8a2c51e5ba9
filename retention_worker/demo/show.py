"""`retention-worker demo`: the worker's main job from end to end, on a database of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from retention_worker.demo.book import Book
from retention_worker.demo.checks import show_checks
from retention_worker.demo.ending import show_next_steps, show_what_stayed
from retention_worker.demo.guards import show_guards
from retention_worker.demo.months import show_months
from retention_worker.demo.opening import introduce, load, show_plan, show_policies
from retention_worker.demo.play import Play
from retention_worker.demo.scene import open_scene, undisturbed
from retention_worker.demo.screen import Screen
from retention_worker.demo.staying import show_staying
from retention_worker.demo.tenants import TENANTS
from retention_worker.embedded import EmbeddedServerError

_INTERRUPTED = 130


def show() -> int:
    """Show everything; leaves nothing behind, however it ends.

    Returns:
        The exit code: 0 if every check passed, 1 if not, 3 without a PostgreSQL to start.
    """
    screen = Screen()
    screen.title("retention worker: a demonstration")
    try:
        with undisturbed(), _started(screen) as play:
            return _tell(play)
    except EmbeddedServerError as exc:
        print(f"demo: {exc}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("demo: interrupted; nothing is left behind", file=sys.stderr)
        return _INTERRUPTED


@contextmanager
def _started(screen: Screen) -> Iterator[Play]:
    """The play, ready to begin."""
    with ExitStack() as stack:
        with screen.busy("Starting a PostgreSQL ..."):
            scene = stack.enter_context(open_scene())
            play = Play(scene=scene, screen=screen, book=Book(tenants=TENANTS))
            load(play)
        yield play


def _tell(play: Play) -> int:
    introduce(play)
    show_policies(play)
    show_plan(play)
    show_guards(play)
    show_staying(play)
    traffic = show_months(play)
    show_what_stayed(play)
    passed = show_checks(play, traffic)
    show_next_steps(play)
    return 0 if passed else 1
