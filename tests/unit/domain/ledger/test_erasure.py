"""The line of an erasure row, and times as texts."""

import hashlib
from dataclasses import replace

import pytest

from retention_worker.domain.ledger.erasure import Erasure, digest_of, instant_of, later_of, padded

ROW = Erasure(
    id=12,
    batch=5,
    tenant='a "b"',
    kind="account",
    subject="ü",
    scope="all",
    last_activity=None,
    complete=False,
    erased_at="2026-01-02T03:04:05",
)


def test_the_exact_line() -> None:
    """What may hold anything is quoted, so that no two rows share a line."""
    assert ROW.line == '12 5 "a \\"b\\"" account "ü" all null f "2026-01-02T03:04:05"'
    assert ROW.hash == hashlib.sha256(ROW.line.encode()).hexdigest()
    other = replace(ROW, last_activity="2025-01-01T00:00:00.5", complete=True)
    assert other.line.endswith(' "2025-01-01T00:00:00.5" t "2026-01-02T03:04:05"')


def test_there_and_back() -> None:
    """JSON gives the same row."""
    assert Erasure.from_json(ROW.to_json()) == ROW


@pytest.mark.parametrize(
    "change",
    [
        {"id": "12"},
        {"id": True},
        {"batch": 1.0},
        {"complete": 1},
        {"complete": None},
        {"subject": None},
        {"last_activity": 5},
        {"more": 1},
    ],
)
def test_what_is_no_row(change: dict[str, object]) -> None:
    """Another type, or another key, is refused."""
    with pytest.raises(ValueError, match="not an erasure row"):
        Erasure.from_json(ROW.to_json() | change)


@pytest.mark.parametrize(
    ("text", "line", "body"),
    [
        ("2026-01-02 03:04:05+00", "2026-01-02T03:04:05", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02 03:04:05.5+00", "2026-01-02T03:04:05.5", "2026-01-02T03:04:05.500000Z"),
        ("2026-01-02 03:04:05.000001+00", "2026-01-02T03:04:05.000001", None),
        ("0044-03-15 12:00:00+00 BC", "0044-03-15T12:00:00 BC", "0044-03-15T12:00:00 BC"),
        ("12026-01-02 03:04:05+00", "12026-01-02T03:04:05", "12026-01-02T03:04:05.000000Z"),
        ("infinity", "infinity", "infinity"),
        ("-infinity", "-infinity", "-infinity"),
    ],
)
def test_times(text: str, line: str, body: str | None) -> None:
    """From PostgreSQL's text to the line's, and to the body's; what Python has not stays."""
    assert instant_of(text) == line
    assert padded(line) == (body or f"{line}Z")


def test_the_digest_keeps_the_order() -> None:
    """The same rows in another order are another batch; none is a digest too."""
    assert digest_of(["a", "b"]) != digest_of(["b", "a"])
    assert digest_of([]) == hashlib.sha256(b"").hexdigest()


def test_the_later_activity_decides() -> None:
    """Times that Python has not are compared too; one before all time decides nothing."""
    times = [
        "-infinity",
        "0044-03-15 12:00:00+00 BC",
        "0044-03-15 12:00:00.5+00 BC",
        "0043-01-01 00:00:00+00 BC",
        "0001-01-01 00:00:00+00",
        "2026-01-02 03:04:05+00",
        "2026-01-02 03:04:05.000001+00",
        "12026-01-02 03:04:05+00",
        "infinity",
    ]
    for place, earlier in enumerate(times):
        assert (later_of(earlier, None), later_of(None, earlier)) == (earlier, earlier)
        for later in times[place:]:
            assert (later_of(earlier, later), later_of(later, earlier)) == (later, later)
    assert later_of(None, None) is None
