"""An object is gone when its store says so of that very key, not because nothing was found."""

import pytest

from retention_worker.service.verify import verify
from tests.integration.objects.conftest import ObjectStage
from tests.integration.objects.test_live import name
from tests.s3 import error

BUCKET = "sample-images"


def versioned(stage: ObjectStage) -> None:
    """Let the bucket keep versions."""
    stage.s3.client.put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
    )


def erased(stage: ObjectStage, key: str) -> None:
    """An account whose image has that key, erased by a sweep; the object is there."""
    account = stage.account(idle_days=400)
    stage.conn.execute(
        "DELETE FROM images WHERE transaction_id = ANY (%s) AND kind <> 'SELFIE'",
        [list(account.transactions)],
    )
    stage.conn.execute(
        "UPDATE images SET object_uri = %s WHERE transaction_id = ANY (%s)",
        [f"s3://{BUCKET}/{key}", list(account.transactions)],
    )
    stage.s3.client.put_object(Bucket=BUCKET, Key=key, Body=b"image")
    stage.sweep()


def errors_said(stage: ObjectStage) -> set[str]:
    """Why objects of the outbox are there."""
    rows = stage.conn.execute("SELECT error FROM retention.object_deletion")
    return {row[0] for row in rows}


ODD = ["a b+c%20d", "d/", "d//e", "e/../f", "caf\u00e9", "cafe\u0301", "a&b<c>\"'", " x ", "?q=1#f"]


@pytest.mark.parametrize("keeps_versions", [False, True])
@pytest.mark.parametrize("key", [*ODD, "tab\t"])
def test_keys_that_are_written_in_odd_ways(
    stage: ObjectStage, key: str, keeps_versions: bool
) -> None:
    """They go, with every version, and nothing else is asked for."""
    if keeps_versions:
        versioned(stage)
    erased(stage, key)
    stage.drain()
    assert (stage.states(), stage.s3.keys(BUCKET)) == ({}, set())


@pytest.mark.parametrize("marker", [False, True])
def test_a_listing_that_spells_the_key_otherwise(stage: ObjectStage, marker: bool) -> None:
    """No version is listed under the key, and the object is there, or was: that is said."""
    versioned(stage)
    key = "selfie\r1.jpg"
    erased(stage, key)
    if marker:
        stage.s3.client.delete_object(Bucket=BUCKET, Key=key)
    report = stage.drain()
    assert (report.deleted, stage.states()) == (0, {"queued": 1})
    assert errors_said(stage) == {
        "it is there, and the store lists its versions under another name"
    }
    for _ in range(20):
        stage.clock.forward(hours=2)
        report = stage.drain()
    assert (report.left, report.exit_code) == ({"failed": 1}, 1)


def test_a_listing_that_leaves_the_key_out(stage: ObjectStage) -> None:
    """An empty list of versions is no proof; a page of a proxy is no list."""
    versioned(stage)
    erased(stage, "selfie.jpg")
    empty = (
        b"<?xml version='1.0'?><ListVersionsResult><Name>sample-images</Name></ListVersionsResult>"
    )
    stage.s3.fail(lambda _, path, __: (200, empty) if "versions&" in path else None)
    stage.drain()
    assert stage.states() == {"queued": 1}
    stage.clock.forward(hours=1)
    page = b"<html>Back soon</html>"
    stage.s3.fail(lambda _, path, __: (200, page) if "versions&" in path else None)
    assert stage.drain().down == {f"s3://{BUCKET}": "no listing of S3"}
    stage.s3.fail(None)
    stage.clock.forward(hours=1)
    assert (stage.drain().deleted, stage.s3.keys(BUCKET)) == (1, set())


def test_a_store_that_refuses_to_say(stage: ObjectStage) -> None:
    """Nothing is listed and HEAD is refused: a person grants the right, nobody guesses."""
    versioned(stage)
    erased(stage, "selfie.jpg")
    [version] = stage.s3.client.list_object_versions(Bucket=BUCKET)["Versions"]
    stage.s3.client.delete_object(Bucket=BUCKET, Key="selfie.jpg", VersionId=version["VersionId"])
    stage.s3.fail(lambda method, _, __: (403, error("AccessDenied")) if method == "HEAD" else None)
    assert (stage.drain().exit_code, stage.states()) == (1, {"denied": 1})
    stage.s3.fail(None)
    stage.clock.forward(days=2)
    assert (stage.drain().deleted, stage.states()) == (1, {})


def test_a_key_that_no_list_can_carry(stage: ObjectStage) -> None:
    """It waits by itself; the others of its bucket go."""
    versioned(stage)
    erased(stage, "\x01x")
    erased(stage, "plain.jpg")
    report = stage.drain()
    assert (report.deleted, report.down, stage.states()) == (1, {}, {"queued": 1})
    assert errors_said(stage) == {"the store's list of its versions is no XML"}


def test_a_key_that_no_request_for_many_can_carry(stage: ObjectStage) -> None:
    """It is asked for by itself, and the others together."""
    erased(stage, "\x01x")
    erased(stage, "plain.jpg")
    assert (stage.drain().deleted, stage.s3.keys(BUCKET)) == (2, set())


def test_a_deletion_that_made_a_marker(stage: ObjectStage) -> None:
    """A bucket that keeps versions and does not say so: its versions are looked for."""
    versioned(stage)
    erased(stage, "selfie.jpg")
    none = b"<?xml version='1.0'?><VersioningConfiguration/>"
    stage.s3.fail(lambda _, path, __: (200, none) if path.endswith("?versioning") else None)
    report = stage.drain()
    assert (report.deleted, stage.states()) == (0, {"queued": 1})
    assert "keeps versions" in errors_said(stage).pop()
    stage.s3.fail(None)
    stage.clock.forward(hours=1)
    assert (stage.drain().deleted, stage.s3.keys(BUCKET)) == (1, set())


def test_verify_asks_in_the_same_way(stage: ObjectStage) -> None:
    """What is noted as gone and is listed under another name is found."""
    versioned(stage)
    key = "selfie\r1.jpg"
    account = stage.account(idle_days=400)
    name(stage, account, f"s3://{BUCKET}/{key}")
    stage.sweep()
    stage.drain()
    stage.s3.client.put_object(Bucket=BUCKET, Key=key, Body=b"restored")
    found = verify(stage.worker, sample=100).observations
    [back] = [each for each in found if each.check == "objects_sampled" and each.wrong]
    assert back.count == 1
