"""The command `plan`: what a sweep would erase."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.lanes import in_words, plan_table
from retention_worker.cli.terminal.options import AsJson, Tenants, time
from retention_worker.cli.terminal.output import complain, counted, instant, print_json, say
from retention_worker.domain.lane.report import PlanReport


def plan(
    tenant: Tenants = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at", metavar="TIME", parser=time, help="At another time: ISO 8601 with a zone."
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="Try this policy in place of its tenant's."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a sweep would erase; nothing is written."""
    from retention_worker.service.plan.plan import plan as make_plan

    with open_context() as context:
        report = make_plan(context, tenants=tenant or (), at=at, policy_file=policy)
    if as_json:
        print_json(report)
    else:
        _show(report)
    raise typer.Exit(report.exit_code)


def _show(report: PlanReport) -> None:
    plan_table(report.lanes)
    goes = [lane for lane in report.lanes if lane.stop_reason is None]
    say(f"A sweep at {instant(report.at)} would erase {in_words(goes)}. Nothing was written.")
    stopped = sum(1 for lane in report.lanes if lane.stop_reason is not None and lane.due)
    if stopped:
        say(f"{counted(stopped, 'lane')} would be left alone, for the reasons above.", "yellow")
    for each in (*report.holds_astray, *(told.message for told in report.warnings)):
        complain(each)
    quiet = sum(1 for lane in goes if not lane.due)
    if quiet:
        say(f"{counted(quiet, 'lane')} had nothing due.")
