"""What a drain did, in sentences."""

from __future__ import annotations

from retention_worker.cli.terminal.output import count, counted, say
from retention_worker.domain.objects.object import DrainReport, ObjectState

_WORDS = {
    ObjectState.QUEUED: "still queued",
    ObjectState.DENIED: "denied by their store",
    ObjectState.FAILED: "failed",
    ObjectState.KEPT: "kept, because a row still names them",
}


def show_objects(report: DrainReport, queued: int) -> None:
    """Say what was deleted and what is left; nothing where there is nothing to say.

    `queued`: how many the sweep before it had queued.
    """
    if report.deleted:
        older = ", some of them queued before this sweep" if report.deleted > queued else ""
        say(f"{counted(report.deleted, 'object')} deleted{older}.")
    left = {state: report.left.get(state, 0) for state in ObjectState}
    if any(left.values()):
        parts = [f"{count(n)} {_WORDS[state]}" for state, n in left.items() if n]
        stuck = left[ObjectState.DENIED] or left[ObjectState.FAILED]
        hint = ": see `objects list`" if stuck else ""
        say(f"Objects not deleted: {', '.join(parts)}{hint}.", "bold red" if stuck else "yellow")
    if not report.drained and any(left.values()):
        say("This process deletes none (RETENTION_OBJECT_DRAIN is false).", "yellow")
    for store, error in report.down.items():
        say(f"{store or 'files'} could not be asked: {error}. It is asked again.", "bold red")
