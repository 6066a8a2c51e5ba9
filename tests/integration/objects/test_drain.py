"""What a drain promises of objects in S3."""

import time
from datetime import timedelta

import pytest

from retention_worker.domain.objects.object import ObjectState
from retention_worker.service.objects import storedrain
from tests.integration.objects.conftest import ObjectStage


def test_objects_of_erased_rows_go_and_others_stay(stage: ObjectStage) -> None:
    """After sweep and drain the bucket holds exactly what living rows name."""
    active = stage.account(idle_days=1)
    kept = stage.uploaded(active)
    _, uris = stage.erased()
    assert uris
    report = stage.drain()
    assert (report.deleted, dict(report.left), report.exit_code) == (len(uris), {}, 0)
    assert stage.s3.keys("sample-images") == {uri.split("/", 3)[3] for uri in kept}
    assert stage.states() == {}


def test_what_was_never_there_is_gone(stage: ObjectStage) -> None:
    """An object that does not exist is done, and is not asked for again."""
    _, uris = stage.erased(uploaded=False)
    assert stage.drain().deleted == len(uris)
    stage.s3.requests.clear()
    assert stage.drain().deleted == 0
    assert stage.s3.requests == []


def test_a_rate_asks_for_each_object_once(
    stage: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the turns take: what waits for its turn is nobody else's, nor claimed again."""
    for _ in range(12):
        stage.account(idle_days=400)
    stage.sweep()
    number = stage.count("SELECT count(*) FROM retention.object_deletion")
    stage.set(object_rate=12, object_timeout_seconds=1, object_concurrency=16)
    monkeypatch.setattr(storedrain, "_MARGIN_SECONDS", -1.5)  # half a second in hand
    start, begin = stage.clock.now, time.monotonic()
    stage.worker.clock = lambda: start + timedelta(seconds=time.monotonic() - begin)
    assert stage.drain().deleted == number
    asked = [path for _, path in stage.s3.requests if path.endswith("?delete")]
    assert len(asked) == number / 12
    assert time.monotonic() - begin > number / 12 - 1.1


def test_every_version_and_marker_goes(stage: ObjectStage) -> None:
    """On a bucket with versions nothing of a key is left, and its neighbours stay."""
    stage.s3.client.put_bucket_versioning(
        Bucket="sample-images", VersioningConfiguration={"Status": "Enabled"}
    )
    account = stage.account(idle_days=400)
    uris = stage.uploaded(account)
    stage.s3.put(uris[0], b"a second version")
    key = uris[1].split("/", 3)[3]
    stage.s3.client.delete_object(Bucket="sample-images", Key=key)  # leaves a marker
    stage.s3.put(f"{uris[0]}.bak")
    stage.sweep()
    assert stage.drain().deleted == len(uris)
    assert stage.s3.keys("sample-images") == {uris[0].split("/", 3)[3] + ".bak"}


def test_a_completion_is_a_batch_of_the_ledger(stage: ObjectStage) -> None:
    """The batch says how many objects of which batches are gone, in the chain of requests."""
    _, uris = stage.erased()
    queued = stage.count("SELECT id FROM retention.batch WHERE objects > 0")
    stage.drain()
    row = stage.conn.execute(
        "SELECT objects, accounts, body::jsonb -> 'completes' FROM retention.batch "
        "WHERE source = 'objects'"
    ).fetchone()
    assert row == (len(uris), 0, {str(queued): len(uris)})
    assert stage.count("SELECT count(*) FROM retention.object_deleted") == len(uris)
    assert stage.drain().left.get(ObjectState.QUEUED) is None
