"""Every pause of everything is kept, with its end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retention_worker.service.guard import pause
from retention_worker.store.migrations import runner
from tests.database import temporary_database
from tests.grants import SCHEMA
from tests.server import Server
from tests.stage import Stage

Spell = tuple[timedelta, timedelta | None, str, str]


def spells(stage: Stage, start: datetime) -> list[Spell]:
    """The pauses, by the time since a start."""
    rows = stage.conn.execute(
        "SELECT paused_at, ended_at, actor, reason FROM retention.pause ORDER BY id"
    )
    return [
        (began - start, ended - start if ended else None, actor, reason)
        for began, ended, actor, reason in rows
    ]


def test_pauses_are_kept(stage: Stage) -> None:
    """A new one ends the one before; an end that was given stands unless somebody comes first."""
    start, hour = stage.clock.now, timedelta(hours=1)
    pause.pause(stage.worker, reason="one", actor="ann", until=None)
    stage.clock.forward(hours=1)
    pause.pause(stage.worker, reason="two", actor="ben", until=start + 2 * hour)
    stage.clock.forward(hours=2)
    pause.resume(stage.worker)  # it has ended by itself
    pause.pause(stage.worker, reason="three", actor="ann", until=start + 9 * hour)
    stage.clock.forward(hours=1)
    pause.resume(stage.worker)
    pause.pause(stage.worker, reason="four", actor="ann", until=None)
    assert spells(stage, start) == [
        (0 * hour, hour, "ann", "one"),
        (hour, 2 * hour, "ben", "two"),
        (3 * hour, 4 * hour, "ann", "three"),
        (4 * hour, None, "ann", "four"),
    ]


def test_the_last_pause_is_taken_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one row that an older schema has becomes the first of the table."""
    older = [each for each in runner.known() if each.number < 16]
    at = datetime(2026, 6, 1, tzinfo=UTC)
    row: dict[str, Any] = {"at": at, "until": at + timedelta(days=1)}
    with temporary_database(server) as database, database.connect() as conn:
        with monkeypatch.context() as patched:
            patched.setattr(runner, "known", lambda: older)
            runner.migrate(conn, SCHEMA)
        conn.execute(
            "UPDATE retention.control SET paused_at = %(at)s, paused_until = %(until)s, "
            "paused_by = 'ann', pause_reason = 'storage'",
            row,
        )
        assert "0016_pauses.sql" in runner.migrate(conn, SCHEMA)
        found = conn.execute("SELECT paused_at, ended_at, actor, reason FROM retention.pause")
        assert found.fetchall() == [(at, row["until"], "ann", "storage")]
