"""The command `sweep`: one sweep now."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.lanes import in_words, sweep_table
from retention_worker.cli.terminal.options import AsJson, Tenants
from retention_worker.cli.terminal.output import complain, count, counted, instant, print_json, say
from retention_worker.cli.terminal.progress import drain_bar, sweep_bar
from retention_worker.domain.lane.report import SweepReport
from retention_worker.domain.objects.object import DrainReport, ObjectState

_WORDS = {
    ObjectState.QUEUED: "still queued",
    ObjectState.DENIED: "denied by their store",
    ObjectState.FAILED: "failed",
    ObjectState.KEPT: "kept, because a row still names them",
}


def sweep(
    tenant: Tenants = None,
    reconcile: Annotated[
        bool,
        typer.Option("--reconcile", help="Look through everything again, not only what is new."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Erase what is due now, and say what was erased.

    SIGTERM or Ctrl-C ends it after the batch in hand; a second Ctrl-C at once.
    """
    from retention_worker import stopping
    from retention_worker.service.ledger import export_after_sweep
    from retention_worker.service.objects.drain import drain_after_sweep
    from retention_worker.service.sweep.sweep import sweep as run_sweep

    with open_context() as context, stopping.on_signals(context.stop) as asked:
        with sweep_bar() as moved:
            report = run_sweep(context, tenants=tenant or (), reconcile=reconcile, progress=moved)
        with drain_bar() as drained:
            objects, not_drained = drain_after_sweep(context, drained)
        not_exported = export_after_sweep(context)
    report = replace(report, objects=objects)
    if as_json:
        print_json(report)
    else:
        _show(report)
    if not_drained is not None:
        complain(f"no object was deleted: {not_drained}")
    if not_exported is not None:
        complain(f"the ledger was not exported: {not_exported}")
    failed = int(not_drained is not None or not_exported is not None)
    raise typer.Exit(asked.exit_code or report.exit_code or failed)


def _show(report: SweepReport) -> None:
    drained = report.objects is not None and report.objects.drained
    sweep_table(report.lanes, drained=drained)
    seconds = max((report.finished_at - report.started_at).total_seconds(), 0)
    say(
        f"Sweep {report.sweep_id} of {instant(report.started_at)} erased "
        f"{in_words(report.lanes, left=not drained)} in {seconds:.1f} s."
    )
    quiet = sum(1 for lane in report.lanes if not lane.accounts and not lane.reason)
    if report.objects is not None:
        _show_objects(report.objects, sum(lane.objects_queued for lane in report.lanes))
    if quiet:
        say(f"{counted(quiet, 'lane')} had nothing to erase.")
    told = (each.message for each in report.warnings)
    for each in (*report.unfinished, *report.holds_astray, *told):
        complain(each)
    needing = sum(1 for lane in report.lanes if lane.needs_person)
    if needing:
        say(f"{counted(needing, 'lane')} need{'s' * (needing == 1)} a person.", "bold red")


def _show_objects(report: DrainReport, queued: int) -> None:
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
