"""Stores that refuse, fail or die: nothing is lost, nothing counted twice, rows go on going."""

import re
from datetime import timedelta
from typing import Any

import pytest

from retention_worker.domain.document import document
from retention_worker.domain.objects.object import ObjectState
from retention_worker.domain.scope import Scope
from retention_worker.metrics import exposition
from retention_worker.service.doctor.doctor import diagnose
from retention_worker.service.explain.explain import explain
from retention_worker.service.ledger import verify as verify_ledger
from retention_worker.service.ledger.receipts import issue
from retention_worker.service.objects import drain as drain_module
from retention_worker.service.objects.completion import Completion
from retention_worker.service.objects.outbox import listed, retry
from tests.integration.objects.conftest import ObjectStage
from tests.integration.objects.test_live import name, shared
from tests.s3 import error, errors
from tests.stage import lane

BULK = 1


def keys_of(body: bytes) -> list[str]:
    """The keys that a bulk deletion names."""
    return re.findall(r"<Key>([^<]*)</Key>", body.decode())


def test_a_denied_object_is_a_dead_letter_and_heals(stage: ObjectStage) -> None:
    """It is said since when, the others go, and a day later or by `retry` it is asked again."""
    account, uris = stage.erased()

    def deny(method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        keys = keys_of(body)
        return (200, errors(keys[:1], "AccessDenied")) if "delete" in path else None

    stage.s3.fail(deny)
    report = stage.drain()
    assert (report.deleted, report.left, report.exit_code) == (len(uris) - 1, {"denied": 1}, 1)
    since = f"{stage.clock.now:%Y-%m-%d %H:%M:%S} UTC"
    said = f"{len(uris) - 1} of {len(uris)} objects gone, 1 denied since {since}"
    found = explain(stage.worker, str(account.account), tenant="acme")
    assert said in " ".join(entry.entry.outbox.in_words() for entry in found.entries)
    assert found.exit_code == 1
    receipt = issue(stage.worker, str(account.account), tenant="acme", kind="account")
    assert said in [proof.objects.in_words() for proof in receipt.proofs]
    [letter] = listed(stage.worker, tenant="acme", state=ObjectState.DENIED, limit=9).objects
    assert (letter.error, letter.attempts) == ("AccessDenied", 1)
    stage.clock.forward(hours=1)
    assert stage.drain().deleted == 0
    stage.s3.fail(None)
    stage.clock.forward(hours=24)
    assert (stage.drain().deleted, stage.states()) == (1, {})


def test_retry_asks_again_at_once(stage: ObjectStage) -> None:
    """What a person mended needs no day to pass."""
    stage.erased()
    stage.s3.fail(lambda *_: (403, error("AccessDenied")) if "delete" in _[1] else None)
    stage.drain()
    stage.s3.fail(None)
    assert stage.drain().deleted == 0
    number = retry(stage.worker, tenant=None, state=ObjectState.DENIED, ids=None)
    assert number == stage.drain().deleted > 0


def test_retry_asks_again_for_shared_objects(stage: ObjectStage) -> None:
    """Their grace is not cut short, but a pause after an error is."""
    shared(stage, "{column: object_uri, shared: true}")
    _, uris = stage.erased()
    again = {"tenant": None, "state": None, "ids": None}
    assert retry(stage.worker, **again) == 0
    stage.clock.forward(hours=1)
    stage.s3.fail(lambda _, path, __: "drop" if "delete" in path else None)
    stage.drain()
    stage.s3.fail(None)
    assert retry(stage.worker, **again) == len(uris)
    assert stage.drain().deleted == len(uris)


def test_object_lock(stage: ObjectStage) -> None:
    """A version under a lock of its bucket stays and is reported; the other objects go."""
    stage.s3.bucket("locked", lock=True)
    account = stage.account(idle_days=400)
    uri = "s3://locked/selfie.jpg"
    stage.conn.execute(
        "UPDATE images SET object_uri = %s WHERE id = (SELECT id FROM images WHERE kind <> 'AUDIT' "
        "AND transaction_id = ANY (%s) LIMIT 1)",
        [uri, list(account.transactions)],
    )
    stage.uploaded(account)
    stage.s3.client.put_object_legal_hold(
        Bucket="locked", Key="selfie.jpg", LegalHold={"Status": "ON"}
    )
    stage.sweep()
    report = stage.drain()
    assert (report.left, stage.s3.keys("locked")) == ({"denied": 1}, {"selfie.jpg"})
    stage.s3.client.put_object_legal_hold(
        Bucket="locked", Key="selfie.jpg", LegalHold={"Status": "OFF"}
    )
    stage.clock.forward(days=2)
    assert (stage.drain().left, stage.s3.keys("locked")) == ({}, set())


@pytest.mark.parametrize(
    "fault", [(503, error("SlowDown")), (500, error("InternalError")), "drop", "hang"]
)
def test_a_bucket_that_is_down(stage: ObjectStage, fault: Any) -> None:
    """Rows go as ever, objects wait and are said to; when the bucket is back they go."""
    stage.s3.fail(lambda *_: fault)
    account, uris = stage.erased()
    assert stage.others(account) == 0
    report = stage.drain()
    assert (report.deleted, report.left) == (0, {"queued": len(uris)})
    assert list(report.down) == ["s3://sample-images"]
    assert report.exit_code == 1
    again = stage.account(idle_days=400)
    assert lane(stage.sweep(), Scope.ALL).accounts == 1
    assert stage.others(again) == 0
    stage.s3.fail(None)
    stage.clock.forward(minutes=2)
    assert (stage.drain().left, stage.states()) == ({}, {})


def test_a_store_that_another_process_emptied(stage: ObjectStage) -> None:
    """Nothing is left to ask it for: the alert of the process that found it down ends."""
    down = 'retention_object_store_down{store="s3://sample-images"} 1.0'
    stage.erased()
    stage.s3.fail(lambda *_: "drop")
    stage.drain()
    assert down in exposition().decode()
    stage.conn.execute("DELETE FROM retention.object_deletion")
    stage.drain()
    assert down not in exposition().decode()


def test_a_store_that_is_down_does_not_keep_others(stage: ObjectStage) -> None:
    """Each bucket for itself."""
    stage.s3.bucket("alive")
    account = stage.account(idle_days=400)
    stage.conn.execute(
        "UPDATE images SET object_uri = 's3://alive/' || id WHERE kind = 'SELFIE' "
        "AND transaction_id = ANY (%s)",
        [list(account.transactions)],
    )
    stage.uploaded(account)
    stage.sweep()
    stage.s3.fail(lambda _, path, __: "drop" if "sample-images" in path else None)
    report = stage.drain()
    assert (list(report.down), report.deleted > 0) == (["s3://sample-images"], True)
    assert stage.s3.keys("alive") == set()


def test_throttled_keys_are_asked_again_later_each_time(stage: ObjectStage) -> None:
    """A key that a bulk deletion could not do backs off; after many attempts a person looks."""
    _, uris = stage.erased()
    stage.s3.fail(
        lambda _, path, body: (200, errors(keys_of(body), "SlowDown")) if "delete" in path else None
    )
    times = []
    for _ in range(3):
        stage.drain()
        row = stage.conn.execute(
            "SELECT min(retry_at), max(retry_at), max(attempts) FROM retention.object_deletion"
        ).fetchone()
        assert row is not None
        times.append(row[0] - stage.clock.now)
        assert row[0] != row[1]  # not all at the same moment
        stage.clock.now = row[1]
    assert times[0] < times[1] < times[2]
    for _ in range(20):
        stage.clock.forward(hours=2)
        stage.drain()
    assert stage.states() == {"failed": len(uris)}


def test_no_credentials_is_the_stores_fault(
    stage: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, and nothing counts as an attempt."""
    stage.erased()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    report = stage.drain()
    assert report.down == {"s3://sample-images": "NoCredentialsError"}
    assert stage.count("SELECT max(attempts) FROM retention.object_deletion") == 0


def test_a_crash_after_the_store_and_before_the_ledger(
    stage: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The objects are gone and not noted: the next drain notes each, once."""
    _, uris = stage.erased()

    def die(*_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Completion, "write", die)
        with pytest.raises(KeyboardInterrupt):
            stage.drain()
    assert stage.s3.keys("sample-images") == set()
    assert stage.states() == {"queued": len(uris)}
    assert stage.drain().deleted == 0  # still in the hands of the one that died
    stage.clock.forward(seconds=31)
    assert stage.drain().deleted == len(uris)
    counted = stage.count("SELECT sum(objects) FROM retention.batch WHERE source = 'objects'")
    assert counted == len(uris)
    assert verify_ledger(stage.worker).exit_code == 0


def test_waiting_for_a_drain_that_died(stage: ObjectStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep's drain waits until what a dead one had in hand is free, and goes on with it."""
    _, uris = stage.erased()
    stage.conn.execute(
        "UPDATE retention.object_deletion SET claimed_until = %s",
        [stage.clock.now + timedelta(seconds=1)],
    )
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        stage.clock.forward(seconds=seconds)
        return False

    monkeypatch.setattr(stage.worker.stop, "wait", wait)
    assert stage.drain(wait=True).deleted == len(uris)
    assert waited


def test_two_drains_at_once_count_each_object_once(
    stage: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that took too long, and one that took over: the second to note finds none."""
    _, uris = stage.erased()
    write = Completion.write
    nested: list[int] = []

    def overtaken(self: Completion, session: Any, objects: Any, now: Any) -> int:
        if not nested:
            nested.append(0)
            stage.conn.execute("UPDATE retention.object_deletion SET claimed_until = NULL")
            nested[0] = drain_module.drain(stage.worker).deleted
        return write(self, session, objects, now)

    # The nested drain commits before the outer transaction takes a lock.
    monkeypatch.setattr(Completion, "write", overtaken)
    outer = stage.drain().deleted
    assert (outer, nested) == (0, [len(uris)])
    counted = stage.count("SELECT sum(objects) FROM retention.batch WHERE source = 'objects'")
    assert counted == len(uris)


@pytest.mark.parametrize(
    ("status", "code"), [(501, "NotImplemented"), (405, "MethodNotAllowed"), (404, "NoSuchKey")]
)
def test_a_store_without_bulk_deletions(stage: ObjectStage, status: int, code: str) -> None:
    """It is asked for each object."""
    _, uris = stage.erased()
    stage.s3.fail(lambda _, path, __: (status, error(code)) if "?delete" in path else None)
    assert stage.drain().deleted == len(uris)
    assert stage.s3.keys("sample-images") == set()


def test_a_page_that_is_not_found(stage: ObjectStage) -> None:
    """Some proxy knows no such path: that says nothing of the objects."""
    _, uris = stage.erased()
    stage.s3.fail(lambda _, path, __: (404, b"") if "delete" in path else None)
    report = stage.drain()
    assert (report.deleted, report.left) == (0, {"queued": len(uris)})


@pytest.mark.parametrize("page", [b"", b"<html>Back soon</html>"])
def test_silence_is_no_answer(stage: ObjectStage, page: bytes) -> None:
    """A proxy that says 200 to everything deleted nothing: nothing is noted as gone."""
    _, uris = stage.erased()
    stage.s3.fail(lambda *_: (200, page))
    report = stage.drain()
    assert (report.deleted, report.left) == (0, {"queued": len(uris)})
    stage.s3.fail(None)
    stage.clock.forward(minutes=2)
    assert (stage.drain().deleted, stage.s3.keys("sample-images")) == (len(uris), set())


def test_a_key_that_the_answer_names_in_another_way(stage: ObjectStage) -> None:
    """XML makes a line feed of a carriage return: such a key is asked for by itself."""
    account = stage.account(idle_days=400)
    stage.conn.execute(
        "UPDATE images SET object_uri = 's3://sample-images/a' || chr(13) || id "
        "WHERE transaction_id = ANY (%s)",
        [list(account.transactions)],
    )
    uris = stage.images(account)
    stage.sweep()

    def deny(method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        if "?delete" in path:
            keys = [uri.split("/", 3)[3].replace("\r", "\n") for uri in uris]
            return 200, errors(keys, "AccessDenied")
        return (403, error("AccessDenied")) if method == "DELETE" else None

    stage.s3.fail(deny)
    assert stage.drain().left == {"denied": len(uris)}


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIA:SECRET@kyc/a",
        "https://me:SECRET@host/a",
        "https://host?SECRET",
        "s3://kyc?SECRET",
    ],
)
def test_secrets_in_a_uri(stage: ObjectStage, capsys: pytest.CaptureFixture[str], uri: str) -> None:
    """A person has to look at such a URI; no log, metric or report has more of it than the host."""
    account = stage.account(idle_days=400)
    name(stage, account, uri)
    stage.sweep()
    report = stage.drain()
    assert (report.left, report.down) == ({"failed": 1}, {})
    stores = document(diagnose(stage.worker).stores)
    logged = "".join(capsys.readouterr())
    assert "objects_failed" in logged
    assert "SECRET" not in f"{report} {stores} {logged} {exposition().decode()}"


def test_half_an_answer_counts(stage: ObjectStage) -> None:
    """A versioned bucket that dies midway: what was deleted before is noted."""
    stage.s3.client.put_bucket_versioning(
        Bucket="sample-images", VersioningConfiguration={"Status": "Enabled"}
    )
    _, uris = stage.erased()
    seen: list[str] = []

    def dies(method: str, path: str, body: bytes) -> str | None:
        seen.append(path)
        return "drop" if len(seen) > 5 else None

    stage.s3.fail(dies)
    report = stage.drain()
    assert 0 < report.deleted < len(uris)
    assert len(stage.s3.keys("sample-images")) <= len(uris) - report.deleted
    stage.s3.fail(None)
    stage.clock.forward(minutes=5)
    stage.drain()
    assert (stage.s3.keys("sample-images"), stage.states()) == (set(), {})


def test_uris_are_forgotten(stage: ObjectStage) -> None:
    """A week later nothing names what is gone; the counts stay."""
    _, uris = stage.erased()
    stage.drain()
    query = "SELECT count(uri) FROM retention.object_deleted"
    assert stage.count(query) == len(uris)
    stage.clock.forward(days=8)
    stage.drain()
    assert stage.count(query) == 0
    assert stage.count("SELECT count(*) FROM retention.object_deleted") == len(uris)
