"""Sections 6 and 8: what went and what stayed, and what to do with one's own database."""

from __future__ import annotations

from collections.abc import Mapping

from retention_worker.demo.book import AUDIT, CREDENTIALS, RETAINED
from retention_worker.demo.counts import left_by_kind
from retention_worker.demo.play import Play
from retention_worker.demo.tenants import TENANTS

# Headings for kinds whose names are too long for a column.
_HEADINGS = {
    "selfies and ID images": "selfies,\nID images",
    "extracted fields": "extracted\nfields",
    "face vectors": "face\nvectors",
    "face templates": "face\ntemplates",
    "authentication vectors": "authentic.\nvectors",
    "verification results": "verific.\nresults",
    "authentications": "authen-\ntications",
    AUDIT: "audit\nscreenshots",
}


def show_what_stayed(play: Play) -> None:
    """What was stored and what is left, by tenant and kind."""
    play.screen.section("What went and what stayed")
    left = left_by_kind(play.scene)
    play.screen.say(
        "Credentials, as rows left/ever stored. The two tenants with a period for biometrics alone "
        "have every image and field."
    )
    _table(play, left, [kind for kind, _ in CREDENTIALS.values()])
    play.screen.say(
        "\nKept for good: decision and metadata of every transaction, the result of every check, "
        "that somebody authenticated, and screenshots of the decision that show no person."
    )
    _table(play, left, ["accounts", *RETAINED.values(), AUDIT])


def _table(play: Play, left: Mapping[tuple[str, str], int], kinds: list[str]) -> None:
    stored = play.book.stored
    rows = [
        (tenant.name, *(_cell(left.get((id_, kind), 0), stored[id_, kind]) for kind in kinds))
        for id_, tenant in TENANTS.items()
    ]
    play.screen.table(("tenant", *(_HEADINGS.get(kind, kind) for kind in kinds)), rows)


def _cell(left: int, stored: int) -> str:
    return f"[green]all {stored:,}[/]" if left == stored else f"{left:,}/{stored:,}"


def show_next_steps(play: Play) -> None:
    """What somebody does who wants this for a database of their own."""
    play.screen.section("With your own database")
    for what, how in (
        ("Describe it once", "config/datamap.yaml says where accounts and credentials are"),
        ("Have it checked", "retention-worker doctor; policy check; migrate"),
        ("Look, then run it", "retention-worker plan; retention-worker run"),
    ):
        play.screen.item(f"[bold]{what:<18}[/] {how}")
    play.screen.say("")
