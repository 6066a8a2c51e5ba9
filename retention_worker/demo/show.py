"""`retention-worker demo`: the worker's main job from end to end, on a database of its own."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from retention_worker.demo.guards import show_guards, show_staying
from retention_worker.demo.months import show_months
from retention_worker.demo.opening import introduce, show_plan, show_policies
from retention_worker.demo.outcome import show_checks, show_what_stayed
from retention_worker.demo.scene import DemoScene, open_scene, undisturbed
from retention_worker.demo.screen import Screen
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
        with undisturbed(), ExitStack() as stack:
            with screen.console.status("Starting a PostgreSQL ..."):
                scene = stack.enter_context(open_scene())
                scene.load()
            return _tell(scene, screen)
    except EmbeddedServerError as exc:
        print(f"demo: {exc}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("demo: interrupted; nothing is left behind", file=sys.stderr)
        return _INTERRUPTED


def _tell(scene: DemoScene, screen: Screen) -> int:
    introduce(scene, screen)
    show_policies(scene, screen)
    show_plan(scene, screen)
    show_guards(scene, screen)
    show_staying(scene, screen)
    traffic = show_months(scene, screen)
    show_what_stayed(scene, screen)
    passed = show_checks(scene, screen, traffic)
    _show_next_steps(screen)
    return 0 if passed else 1


def _show_next_steps(screen: Screen) -> None:
    """Show what to do for a database of one's own."""
    screen.section("With your own database")
    for what, how in (
        ("Describe it once", "config/datamap.yaml says where accounts and credentials are"),
        ("Have it checked", "retention-worker doctor; policy check; migrate"),
        ("Look, then run it", "retention-worker plan; retention-worker run"),
    ):
        screen.item(f"[bold]{what:<18}[/] {how}")
    screen.say("")
