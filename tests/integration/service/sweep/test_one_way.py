"""The way from the command to the DELETE: short, and the same for lanes and requests."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import retention_worker
from retention_worker.cli import main
from retention_worker.cli.commands import sweep as command
from retention_worker.domain.scope import Scope
from retention_worker.service.request.erase import RequestedErasure, erase
from retention_worker.store.connection.session import Session
from tests.stage import Stage

PACKAGE = str(Path(retention_worker.__file__).parent)
# Of our own, from `main` to what sends the DELETE.
MOST_FRAMES = 13


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """For each DELETE that is sent, the product's functions on its way, the outermost first."""
    found: list[list[str]] = []
    send = Session.send

    def traced(self: Session, query: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(query, str) and "DELETE FROM" in query.as_string():
            # What is replaced here is a frame of its own, too.
            found.append([*_own_frames(), "session.py:send"])
        return send(self, query, *args, **options)

    monkeypatch.setattr(Session, "send", traced)
    return found


def test_few_frames_from_the_command_to_the_delete(
    stage: Stage, ways: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads on from the command has seen everything after so many functions."""
    stage.account(idle_days=400)
    monkeypatch.setattr(command, "open_context", lambda: nullcontext(stage.worker))
    assert main(["sweep", "--json"]) == 0
    assert len(ways) > 1
    for way in ways:
        assert way[0] == "app.py:main"
        assert len(way) <= MOST_FRAMES, way


def test_lanes_and_requests_erase_by_one_procedure(stage: Stage, ways: list[list[str]]) -> None:
    """Both ways end with the same three functions."""
    stage.account(idle_days=400)
    account = stage.account(idle_days=1)
    stage.sweep()
    swept = [way[-3:] for way in ways]
    ways.clear()
    wanted = RequestedErasure(
        kind="account",
        subject=str(account.account),
        scope=Scope.ALL,
        tenant="acme",
        actor="me",
        reason="Art. 17",
        source="cli",
    )
    erase(stage.worker, wanted)
    asked = [way[-3:] for way in ways]
    # The sweep has two lanes, and so the more ways.
    assert {*map(tuple, swept)} == {*map(tuple, asked)}
    assert swept[0] == ["eraser.py:erase", "credentials.py:erase", "session.py:send"]


def _own_frames() -> list[str]:
    """The functions of the product on the stack, the outermost first."""
    found = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            found.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}")
        frame = frame.f_back
    return found[::-1]
