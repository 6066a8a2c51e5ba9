"""The commands `pause` and `resume`: everything."""

from __future__ import annotations

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import Actor, Reason, Until, actor_of
from retention_worker.cli.terminal.output import instant, say


def pause(reason: Reason, until: Until = None, actor: Actor = None) -> None:
    """Stop every sweep before its next batch, on all replicas; ad-hoc erasure goes on."""
    from retention_worker.service.guard import pause as service

    with open_context() as context:
        service.pause(context, reason=reason, actor=actor_of(actor), until=until)
    say(
        f"Paused until {instant(until, 'somebody runs `retention-worker resume`')}: every sweep "
        "stops before its next batch; ad-hoc erasure goes on."
    )


def resume() -> None:
    """Let sweeps go again."""
    from retention_worker.service.guard import pause as service

    with open_context() as context:
        was = service.resume(context)
    say("Sweeps go again." if was else "Nothing was paused.")
