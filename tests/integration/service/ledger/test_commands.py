"""The commands, from the command line to the exit code."""

from pathlib import Path

import pytest

from retention_worker.domain.ledger.receipt import text_of
from retention_worker.service.ledger import export, issue
from tests.acceptance.program import Program
from tests.integration.service.ledger.books import fill
from tests.stage import Stage


@pytest.fixture
def program(stage: Stage, tmp_path: Path) -> Program:
    """The program with the settings of the stage."""
    environment = {
        "RETENTION_DATABASE_URL": stage.database.worker_dsn,
        "RETENTION_CONFIG_DIR": str(stage.config.path),
        "RETENTION_GUARD_PERCENT": "100",
        "RETENTION_BATCH_DEADLINE_MS": "4000",
        "RETENTION_OBJECT_DRAIN": "false",
    }
    return Program(folder=tmp_path, environment=environment)


@pytest.fixture
def bare(tmp_path: Path) -> Program:
    """The program with no settings at all."""
    return Program(folder=tmp_path, environment={})


def test_export_and_verify(stage: Stage, program: Program, tmp_path: Path) -> None:
    """What is whole ends with 0 and what is broken with 1, and says where."""
    fill(stage)
    book = str(tmp_path / "ledger.jsonl")

    assert program.call("ledger", "export", "--to", book, "--json").json["chains"] == 3
    done = program.call("ledger", "export", RETENTION_LEDGER_EXPORT=book)
    assert (done.code, "0 batches appended" in done.out) == (0, True)
    done = program.call("ledger", "verify", "--against", book)
    assert done.code == 0
    assert "nothing was changed, removed, added or reordered" in done.out
    stage.conn.execute("UPDATE retention.batch SET objects = objects + 1 WHERE id = 3")
    done = program.call("ledger", "verify")
    assert (done.code, "batch 3, column objects: changed" in done.out) == (1, True)
    done = program.call("ledger", "verify", "--json")
    assert (done.code, done.json["whole"]) == (1, False)


def test_wrong_use(program: Program) -> None:
    """Exit 2, and one line that says what to write."""
    for words, said in (
        (("ledger", "export"), "--to PLACE"),
        (("ledger", "replay", "x", "--yes"), "--reason TEXT"),
        (("ledger", "replay", "x", "--yes", "--dry-run"), "one of them"),
        (("ledger", "replay", "x"), "cannot be read"),
        (("ledger", "verify", "--against", "x"), "cannot be read"),
        (("ledger", "receipt", "x"), "--tenant"),
        (("ledger", "receipt", "x", "--tenant", "acme"), "no erasure of account"),
        (("ledger", "verify", "--receipt", "x", "--tenant", "acme"), "as a whole"),
        (("report", "May"), "YYYY-MM"),
    ):
        done = program.call(*words)
        assert done.code == 2, words
        assert said in done.complaints[0], words
        assert len(done.complaints) == 1


def test_receipt_replay_and_report(stage: Stage, program: Program, tmp_path: Path) -> None:
    """Each prints what it promises."""
    account = fill(stage)[0].account
    book, paper = tmp_path / "ledger.jsonl", tmp_path / "receipt.json"
    assert program.call("ledger", "export", "--to", str(book)).code == 0

    done = program.call("ledger", "receipt", str(account), "--tenant", "acme")
    paper.write_text(done.out, "utf-8")
    done = program.call("ledger", "verify", "--receipt", str(paper), "--against", str(book))
    assert done.code == 0
    done = program.call("ledger", "replay", str(book), "--json")
    assert (done.code, done.json["would_erase"]) == (0, [])
    stage.conn.execute("UPDATE retention.batch SET erased_at = '2020-02-29 12:00:00Z'")
    for form in ("markdown", "csv", "json"):
        done = program.call("report", "2020-02", "--format", form)
        assert (done.code, "all" in done.out) == (0, True)


def test_a_receipt_is_checked_without_a_database(
    stage: Stage, bare: Program, tmp_path: Path
) -> None:
    """Whoever gets a receipt can check it with the program alone."""
    paper = tmp_path / "receipt.json"
    account = str(fill(stage)[0].account)
    text = text_of(issue(stage.worker, account, tenant="acme", kind="account"))
    paper.write_text(text, "utf-8")

    done = bare.call("ledger", "verify", "--receipt", str(paper))
    assert (done.code, "Consistent in itself, and unproven" in done.out) == (1, True)
    book = tmp_path / "book.jsonl"
    export(stage.worker, book)
    done = bare.call("ledger", "verify", "--receipt", str(paper), "--against", str(book))
    assert (done.code, "Proved: " in done.out) == (0, True)
    paper.write_text(text.replace("acme", "acne"), "utf-8")
    done = bare.call("ledger", "verify", "--receipt", str(paper), "--json")
    assert (done.code, done.json["proved"]) == (1, False)


def test_sweep_exports(stage: Stage, program: Program, tmp_path: Path) -> None:
    """After each sweep; a failure is said, ends with 1, and the sweep is there."""
    book = tmp_path / "ledger.jsonl"
    program.environment["RETENTION_LEDGER_EXPORT"] = str(book)
    stage.account(idle_days=2_000)
    assert program.call("sweep", "--json").code == 0
    assert len(book.read_text("utf-8").splitlines()) == 3
    stage.account(idle_days=2_000)
    book.write_text("something else\n", "utf-8")

    done = program.call("sweep", "--json")

    assert done.code == 1
    assert "the ledger was not exported" in done.complaints[0]
    assert [event["level"] for event in done.log if event["event"] == "ledger_not_exported"] == [
        "warning"
    ]
    assert done.json["lanes"][0]["accounts"] == 1
