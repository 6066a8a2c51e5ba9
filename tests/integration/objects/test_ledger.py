"""The ledger with objects in it: exported to a bucket, verified, replayed, reported."""

import time
from io import BytesIO
from pathlib import Path

import pytest

from retention_worker import scheduler
from retention_worker.domain.errors import ConfigurationError, NeedsPerson, StoreDown
from retention_worker.domain.ledger.receipt import text_of
from retention_worker.objects import export_bucket
from retention_worker.objects.export_bucket import ExportBucket
from retention_worker.service.ledger import (
    check_receipt,
    export,
    export_after_sweep,
    issue,
    verify,
)
from retention_worker.service.ledger.report import report
from retention_worker.service.replay.outcome import Authority
from retention_worker.service.replay.replay import replay
from tests.integration.objects.conftest import ObjectStage

SHELF = "s3://evidence/ledgers/acme"


def exported(stage: ObjectStage) -> dict[str, bytes]:
    """Every object of the bucket."""
    found = {}
    for key in sorted(stage.s3.keys("evidence")):
        body = stage.s3.client.get_object(Bucket="evidence", Key=key)["Body"].read()
        found[key.removeprefix("ledgers/acme/")] = body
    return found


def test_segments_are_the_file(stage: ObjectStage, tmp_path: Path) -> None:
    """Each run adds one; put together they are what an export to a file is, to the byte."""
    stage.s3.bucket("evidence")
    stage.set(ledger_export=SHELF)
    for _ in range(3):
        stage.erased()
        stage.drain()
        assert export_after_sweep(stage.worker) is None
    assert export(stage.worker, SHELF).appended == 0
    export(stage.worker, tmp_path / "ledger.jsonl")
    found = exported(stage)
    segments = [body for name, body in found.items() if name != "resume.json"]
    assert len(segments) == 3
    assert b"".join(segments) == (tmp_path / "ledger.jsonl").read_bytes()


@pytest.mark.parametrize("resume", [None, b"{}", b"no json", b'{"format": 1, "last": ["x", "y"]}'])
def test_what_is_remembered_is_not_believed(stage: ObjectStage, resume: bytes | None) -> None:
    """Without resume.json, or with a wrong one, the segments are read, and nothing comes twice."""
    stage.s3.bucket("evidence")
    stage.erased()
    first = export(stage.worker, SHELF)
    if resume is None:
        stage.s3.client.delete_object(Bucket="evidence", Key="ledgers/acme/resume.json")
    else:
        stage.s3.put("s3://evidence/ledgers/acme/resume.json", resume)
    assert export(stage.worker, SHELF).appended == 0
    stage.drain()
    done = export(stage.worker, SHELF)
    assert (done.appended, done.batches) == (1, first.batches + 1)
    assert verify(stage.worker, against=SHELF).exit_code == 0


def test_a_ledger_whose_end_was_cut_off(stage: ObjectStage) -> None:
    """An export in a bucket shows it as a file does; so does a segment that is missing."""
    stage.s3.bucket("evidence")
    stage.erased()
    export(stage.worker, SHELF)
    stage.erased()
    export(stage.worker, SHELF)
    found = verify(stage.worker, against=SHELF)
    assert (found.exit_code, found.exported) == (0, found.batches)
    stage.conn.execute(
        "DELETE FROM retention.batch WHERE id = (SELECT max(id) FROM retention.batch)"
    )
    assert verify(stage.worker, against=SHELF).exit_code == 1
    with pytest.raises(NeedsPerson, match="another ledger's, or a part of the ledger is gone"):
        export(stage.worker, SHELF)
    stage.s3.client.delete_object(Bucket="evidence", Key="ledgers/acme/resume.json")
    stage.s3.client.delete_object(Bucket="evidence", Key="ledgers/acme/000000000000.jsonl")
    with pytest.raises(ConfigurationError, match="no export"):
        export(stage.worker, SHELF)


def test_two_exports_at_once(stage: ObjectStage) -> None:
    """The second one does not write over the first one's segment."""
    stage.s3.bucket("evidence")
    stage.erased()
    stage.s3.put("s3://evidence/ledgers/acme/000000000000.jsonl", b"of the other one")
    with pytest.raises(NeedsPerson, match="another export"):
        ExportBucket(SHELF).add("000000000000.jsonl", BytesIO(b"ours"))


def test_a_bucket_that_is_down_loses_no_sweep(stage: ObjectStage) -> None:
    """The export fails and says so; the next one has everything."""
    stage.s3.bucket("evidence")
    stage.set(ledger_export=SHELF)
    stage.erased()
    stage.s3.fail(lambda *_: "drop")
    assert "ConnectionClosedError" in str(export_after_sweep(stage.worker))
    with pytest.raises(StoreDown):
        verify(stage.worker, against=SHELF)
    stage.s3.fail(None)
    assert export_after_sweep(stage.worker) is None
    assert verify(stage.worker, against=SHELF).exit_code == 0


def test_a_bucket_that_hangs(stage: ObjectStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps of `run` wait for the export: it asks twice, and gives up before a stop does."""
    assert 2 * export_bucket._TIMEOUT_SECONDS < scheduler._PATIENCE_SECONDS
    monkeypatch.setattr(export_bucket, "_TIMEOUT_SECONDS", 1)
    stage.s3.bucket("evidence")
    stage.erased()
    stage.s3.fail(lambda *_: "hang")
    begin = time.monotonic()
    with pytest.raises(StoreDown, match="ReadTimeout"):
        export(stage.worker, SHELF)
    assert time.monotonic() - begin < 5


def test_receipts_prove_the_objects(stage: ObjectStage, tmp_path: Path) -> None:
    """The batches that say so are in it, and none of them can be changed or exchanged."""
    stage.s3.bucket("evidence")
    account, uris = stage.erased()
    other, _ = stage.erased()
    stage.drain()
    export(stage.worker, SHELF)
    receipt = issue(stage.worker, str(account.account), tenant="acme", kind="account")
    gone = [proof for proof in receipt.proofs if proof.objects.total]
    assert [proof.objects.in_words() for proof in gone] == [
        f"{len(uris)} of {len(uris)} objects gone"
    ]
    assert all(proof.completions for proof in gone)
    text = text_of(receipt)
    paper = tmp_path / "receipt.json"
    paper.write_text(text)
    assert check_receipt(paper, SHELF).problems == ()
    assert str(other.account) not in text
    paper.write_text(text.replace('\\"completes\\":{', '\\"completes\\":{\\"1\\":1,'))
    assert check_receipt(paper).exit_code == 1


def test_replay_queues_the_objects_again(stage: ObjectStage, tmp_path: Path) -> None:
    """After a restore rows are erased again and their objects, gone already, are done."""
    account = stage.account(idle_days=400)
    uris = stage.uploaded(account)
    images = stage.conn.execute("SELECT * FROM images WHERE kind <> 'AUDIT'").fetchall()
    stage.sweep()
    stage.drain()
    export(stage.worker, tmp_path / "ledger.jsonl")
    for table in ("batch", "erasure", "object_deleted"):
        stage.conn.execute(f"DELETE FROM retention.{table}".encode())
    stage.conn.execute("UPDATE retention.lane SET head_hash = NULL, head_batch = NULL")
    stage.conn.execute("UPDATE retention.request_chain SET head_hash = NULL, head_batch = NULL")
    places = ", ".join(["%s"] * len(images[0]))
    for row in images:
        stage.conn.execute(f"INSERT INTO images VALUES ({places})".encode(), row)
    done = replay(
        stage.worker, tmp_path / "ledger.jsonl", authority=Authority(actor="me", reason="restore")
    )
    assert done.total
    assert stage.drain().deleted == len(uris)
    assert verify(stage.worker).exit_code == 0


def test_the_month(stage: ObjectStage) -> None:
    """Objects count once as queued and once as deleted, and deleting them erases no rows."""
    _, uris = stage.erased()
    before = report(stage.worker, "2026-06", tenant=None)
    stage.drain()
    [tenant] = report(stage.worker, "2026-06", tenant=None).tenants
    assert tenant.objects_deleted == sum(each.objects for each in tenant.erased) == len(uris)
    assert tenant.erased == before.tenants[0].erased
