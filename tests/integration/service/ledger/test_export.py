"""ledger export: only what is new, in order, on disk; a killed run is gone on with."""

import fcntl
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retention_worker.domain.errors import ConfigurationError, NeedsPerson
from retention_worker.domain.ledger.chain import BatchRecord
from retention_worker.domain.ledger.export import HEADER
from retention_worker.domain.scope import Scope
from retention_worker.service.ledger import export, export_after_sweep
from retention_worker.service.ledger.resume import prepared
from retention_worker.store.connection.pool import writing
from retention_worker.store.connection.session import Session
from retention_worker.store.ledger import ledger
from retention_worker.store.own import lanes
from tests.integration.service.ledger.books import fill, found, ids
from tests.stage import Stage


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Where the export goes."""
    return tmp_path / "ledger.jsonl"


def batches(book: Path) -> list[int]:
    """The numbers in the file, in its order."""
    return [json.loads(line)["batch"] for line in book.read_text("utf-8").splitlines()[1:]]


def state(book: Path) -> Path:
    """The small file beside it."""
    return book.with_name(f"{book.name}.state")


def test_everything_is_exported_once(stage: Stage, book: Path) -> None:
    """One line a batch with all its erasure rows; a second run has nothing to add."""
    fill(stage)

    done = export(stage.worker, book)

    assert batches(book) == ids(stage, "batch")
    assert (done.appended, done.batches, done.chains) == (len(batches(book)), done.appended, 3)
    lines = [json.loads(line) for line in book.read_text("utf-8").splitlines()[1:]]
    rows = [row["id"] for line in lines for row in line["erasures"]]
    assert sorted(rows) == ids(stage, "erasure")
    before = book.read_bytes()
    assert export(stage.worker, book).appended == 0
    assert book.read_bytes() == before
    assert stat.S_IMODE(book.stat().st_mode) == 0o600
    assert found(stage, book) == ()


@pytest.mark.parametrize("remembers", [True, False])
def test_only_what_is_new_is_appended(stage: Stage, book: Path, remembers: bool) -> None:
    """What is in the file stays as it is; also where the small file beside it is lost."""
    fill(stage)
    export(stage.worker, book)
    before = book.read_bytes()
    if not remembers:
        state(book).unlink()
    stage.account(idle_days=402)
    stage.sweep()

    done = export(stage.worker, book)

    assert done.appended == 2
    assert book.read_bytes().startswith(before)
    assert batches(book) == ids(stage, "batch")


def test_an_empty_ledger_makes_an_empty_export(stage: Stage, book: Path) -> None:
    """The header alone, and it is gone on with."""
    assert export(stage.worker, book).batches == 0
    assert book.read_text("utf-8") == HEADER
    stage.account(idle_days=400)
    stage.sweep()
    assert export(stage.worker, book).appended == 2


@pytest.mark.parametrize("remembers", [True, False])
def test_a_file_cut_off_anywhere_is_brought_to_its_last_whole_line(
    stage: Stage, book: Path, remembers: bool
) -> None:
    """At every byte of the header and of the last two lines."""
    fill(stage)
    export(stage.worker, book)
    whole, kept = book.read_bytes(), state(book).read_bytes()
    lines = whole.splitlines(keepends=True)
    header, tail = len(lines[0]), len(whole) - len(lines[-1]) - len(lines[-2])
    for cut in [*range(header + 1), *range(tail, len(whole) + 1)]:
        book.write_bytes(whole[:cut])
        if remembers:
            state(book).write_bytes(kept)
        else:
            state(book).unlink(missing_ok=True)
        with book.open("r+b") as file:
            resume = prepared(file, book)
        left = whole[: whole.rfind(b"\n", 0, cut) + 1] or lines[0]
        assert book.read_bytes() == left, cut
        assert resume.lines == len(left.splitlines())


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_killed_run_is_gone_on_with(stage: Stage, book: Path, part: float) -> None:
    """The file ends up as if nothing had happened, wherever it was cut off."""
    fill(stage)
    export(stage.worker, book)
    whole = book.read_bytes()
    book.write_bytes(whole[: int(len(whole) * part)])

    export(stage.worker, book)

    assert book.read_bytes() == whole


def test_a_run_that_fails_on_the_way_keeps_what_it_wrote(stage: Stage, book: Path) -> None:
    """Lines that are on disk are not written twice."""
    fill(stage)

    def fail(done: int, _: int) -> None:
        if done == ids(stage, "batch")[5]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(stage.worker, book, progress=fail)

    assert batches(book) == ids(stage, "batch")[:5]
    export(stage.worker, book)
    assert batches(book) == ids(stage, "batch")


def test_a_batch_that_commits_late_is_not_passed_over(stage: Stage, book: Path) -> None:
    """Its number is lower than one that was exported before it was there."""
    stage.account(idle_days=400)
    with stage.worker.pool.connection() as conn:
        with writing(conn):
            lanes.register(Session(conn, "retention"), ["birch"])
        with writing(conn):
            session = Session(conn, "retention")
            assert lanes.lease(session, "birch").get()
            number = ledger.next_batch(session)
            stage.sweep()
            for _ in range(3):
                export(stage.worker, book)
            _write(session, number)
    assert number < min(batches(book))

    assert export(stage.worker, book).appended == 1

    assert batches(book)[-1] == number
    assert found(stage, book) == ()
    assert [export(stage.worker, book).appended for _ in range(2)] == [0, 0]
    settled = json.loads(state(book).read_text("utf-8"))["settled"]
    assert settled == max(batches(book))  # so a later run reads nothing twice


def _write(session: Session, number: int) -> None:
    record = BatchRecord(
        batch=number,
        sweep=1,
        request=None,
        tenant="birch",
        scope=Scope.ALL,
        source="sweep",
        cutoff=datetime(2026, 1, 1, tzinfo=UTC),
        policy_digest="0",
        map_digest="0",
        accounts=1,
        counts={},
        objects=0,
        erased_at=datetime(2026, 6, 1, tzinfo=UTC),
        erasures="",
        previous=None,
    )
    head = ledger.write(session, record, [("somebody", "2025-01-01 00:00:00+00")])
    ledger.set_head(session, "birch", Scope.ALL, batch=number, head=head, spent=0)


@pytest.mark.parametrize(
    "content",
    ["", "id,name\n1,Ann\n", "{}\n", HEADER.replace("1", "2"), HEADER + "{}\n", "\x00" * 99],
)
def test_any_other_file_is_refused_and_left_alone(stage: Stage, book: Path, content: str) -> None:
    """But for an empty one, which is begun."""
    fill(stage)
    book.write_text(content, "utf-8")
    if not content:
        assert export(stage.worker, book).appended
        return

    with pytest.raises((ConfigurationError, NeedsPerson), match="export"):
        export(stage.worker, book)

    assert book.read_text("utf-8") == content


def test_another_ledgers_file_is_refused(stage: Stage, book: Path) -> None:
    """What it ends with must be in this database's ledger."""
    fill(stage)
    export(stage.worker, book)
    stage.conn.execute("TRUNCATE retention.batch, retention.erasure, retention.lane")
    stage.account(idle_days=400)
    stage.sweep()

    with pytest.raises(NeedsPerson, match="another ledger's, or a part of the ledger is gone"):
        export(stage.worker, book)


def test_a_changed_line_is_refused(stage: Stage, book: Path) -> None:
    """Where the chain in the file does not hold, nothing is appended to it."""
    fill(stage)
    export(stage.worker, book)
    lines = book.read_text("utf-8").splitlines(keepends=True)
    book.write_text("".join([*lines[:3], *lines[4:]]), "utf-8")

    with pytest.raises(NeedsPerson, match="is not the next one"):
        export(stage.worker, book)


def test_a_broken_ledger_is_not_exported_further(stage: Stage, book: Path) -> None:
    """What comes before the change is; the change is not made to look right."""
    fill(stage)
    numbers = ids(stage, "batch")
    stage.conn.execute(
        "UPDATE retention.batch SET body = replace(body, 'acme', 'acne') WHERE id = %s",
        (numbers[4],),
    )

    with pytest.raises(NeedsPerson, match=f"batch {numbers[4]} was changed: run ledger verify"):
        export(stage.worker, book)

    assert batches(book) == numbers[:4]


def test_two_exports_at_once(stage: Stage, book: Path) -> None:
    """The second one is refused: lines of two writers would mix."""
    export(stage.worker, book)
    with book.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="another export is writing it"):
            export(stage.worker, book)


def test_after_a_sweep(stage: Stage, book: Path) -> None:
    """Where a file is set it is appended to; what goes wrong is said and loses nothing."""
    fill(stage)
    assert export_after_sweep(stage.worker) is None
    stage.set(ledger_export=book)
    assert export_after_sweep(stage.worker) is None
    assert batches(book) == ids(stage, "batch")
    stage.set(ledger_export=book / "impossible")
    assert "cannot be written" in (export_after_sweep(stage.worker) or "")


def test_a_changed_export_is_found_by_verify(stage: Stage, book: Path) -> None:
    """The evidence is checked as well as the ledger."""
    fill(stage)
    export(stage.worker, book)
    text = book.read_text("utf-8")
    for changed in (
        text.replace('"complete":true', '"complete":false', 1),
        text.replace('"kind":"account"', '"kind":"transaction"', 1),
        text.replace('\\"objects\\":', '\\"objects\\":1', 1),
        text.replace("acme", "acne", 1),
        "".join(line for n, line in enumerate(text.splitlines(keepends=True)) if n != 2),
    ):
        assert changed != text
        book.write_text(changed, "utf-8")
        assert found(stage, book), changed[:80]
    # What a killed run left of a line is no change.
    book.write_text(text[:-10], "utf-8")
    assert found(stage, book) == ()
