"""The command `explain`: why an account's credentials are still there, and when they go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.text import Text

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import AsJson, Tenant
from retention_worker.cli.terminal.output import count, instant, print_json, say, table
from retention_worker.domain.explain.explanation import (
    EntryExplained,
    Explanation,
    LaneExplained,
    State,
)
from retention_worker.domain.explain.explanation_words import in_short, sentences

_STYLES = {State.DUE: "yellow", State.ERASED: "green", State.NOTHING: "dim"}
_SHORT_DIGEST = 12


def explain(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="Its id; a composite one as a JSON array.")
    ],
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Say why an account's credentials are still there, when they go, and what was erased."""
    from retention_worker.domain.explain.explanation_json import to_json
    from retention_worker.service.explain.explain import explain as explain_account

    with open_context() as context:
        found = explain_account(context, account, tenant=tenant)
    if as_json:
        print_json(to_json(found))
    else:
        _show(found)
    raise typer.Exit(found.exit_code)


def _show(found: Explanation) -> None:
    say(f"Account {found.account} of {found.tenant}, {instant(found.at)}", "bold")
    for sentence in sentences(found):
        say(sentence)
    table(
        ("credentials", "class", "rows", "when", "state"),
        (_row(each, found) for each in found.entries),
        numbers=("rows",),
    )
    for line in _grounds(found):
        say(line, "dim")


def _row(each: EntryExplained, found: Explanation) -> tuple[str | Text, ...]:
    when = instant(each.lane.due_at, "never") if each.lane else instant(each.entry.erased_at)
    style = _STYLES.get(each.state, "bold red" if each.state.needs_person else "")
    return (
        each.entry.name,
        each.entry.class_,
        count(each.entry.rows),
        when,
        Text(in_short(each, found.at), style=style),
    )


def _grounds(found: Explanation) -> Iterator[str]:
    """What support needs and the person does not: rules, sources, who placed what."""
    for lane in found.lanes:
        if rule := _rule(lane):
            yield f"{lane.scope}: {rule}"
    for source, at in found.activities.items():
        yield f"activity: {source}: {instant(at, 'none')}"
    seen: set[str] = set()
    for lane in found.lanes:
        for each in lane.obstacles:
            if each.detail and each.detail not in seen:
                seen.add(each.detail)
                yield f"{each.state.replace('_', ' ')}: {each.detail}"


def _rule(lane: LaneExplained) -> str | None:
    rule = lane.rule
    if rule.problems:
        return "; ".join(rule.problems)
    if rule.file is None or rule.digest is None:
        return None
    since = f"applied {instant(rule.applied_at)}" if rule.applied_at else "not applied yet"
    return f"{rule.period or 'never'} ({rule.file}, policy {rule.digest[:_SHORT_DIGEST]}, {since})"
