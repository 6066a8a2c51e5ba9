"""What doctor and verify say of stores."""

import pytest

from retention_worker.service.doctor.doctor import Diagnosis, diagnose
from retention_worker.service.verify import verify
from tests.integration.objects.conftest import ObjectStage
from tests.integration.objects.test_live import name, shared
from tests.s3 import error


def warned(found: Diagnosis) -> str:
    """What is said about objects."""
    return "\n".join(
        f"{each.subject}: {each.message}" for each in found.findings if each.check == "objects"
    )


def test_a_bucket_that_is_well(stage: ObjectStage) -> None:
    """Reachable, without versions or a lock, and everything is allowed: nothing to warn of."""
    stage.account(idle_days=1)
    found = diagnose(stage.worker)
    [bucket] = found.stores
    assert bucket.store == "s3://sample-images"
    assert (bucket.error, bucket.versions, bucket.object_lock) == (None, "never", "off")
    assert (bucket.lifecycle, bucket.may_delete, bucket.may_delete_versions) == (
        "none",
        "yes",
        "yes",
    )
    assert warned(found) == ""
    assert stage.s3.keys("sample-images") == set()


def test_versions_lock_and_lifecycle(stage: ObjectStage) -> None:
    """Each is said; asking leaves nothing behind, no delete marker either."""
    stage.s3.bucket("locked", lock=True)
    stage.s3.client.put_object_lock_configuration(
        Bucket="locked",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}},
        },
    )
    stage.s3.client.put_bucket_lifecycle_configuration(
        Bucket="locked",
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "old",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "Expiration": {"Days": 9},
                }
            ]
        },
    )
    stage.account(idle_days=1)
    stage.conn.execute("UPDATE images SET object_uri = 's3://locked/' || id")
    found = diagnose(stage.worker)
    [bucket] = found.stores
    assert (bucket.versions, bucket.object_lock) == ("Enabled", "on, COMPLIANCE for 30 days")
    assert (bucket.lifecycle, bucket.may_delete_versions) == ("1 rule(s)", "yes")
    assert "has Object Lock (on, COMPLIANCE for 30 days)" in warned(found)
    assert stage.s3.keys("locked") == set()


def test_rights_that_are_missing(stage: ObjectStage) -> None:
    """Which right to grant is said; a bucket that is not there too."""
    stage.account(idle_days=1)
    stage.s3.client.put_bucket_versioning(
        Bucket="sample-images", VersioningConfiguration={"Status": "Enabled"}
    )
    stage.s3.fail(lambda method, *_: (403, error("AccessDenied")) if method == "DELETE" else None)
    assert "grant s3:DeleteObjectVersion" in warned(diagnose(stage.worker))
    stage.s3.fail(lambda _, path, __: (403, error("AccessDenied")) if "versions" in path else None)
    assert "grant s3:ListBucketVersions" in warned(diagnose(stage.worker))
    stage.s3.fail(lambda *_: "drop")
    assert "cannot be asked" in warned(diagnose(stage.worker))
    stage.s3.fail(None)
    stage.conn.execute("UPDATE images SET object_uri = 's3://no-such-bucket/' || id")
    assert "s3://no-such-bucket: cannot be asked (404)" in warned(diagnose(stage.worker))


def test_a_bucket_that_does_not_say_whether_it_keeps_versions(stage: ObjectStage) -> None:
    """It may: no plain deletion is tried, which would leave a marker, and the rights are said."""
    stage.account(idle_days=1)
    stage.s3.fail(
        lambda method, path, _: (
            (403, error("AccessDenied")) if method == "GET" and "version" in path else None
        )
    )
    said = warned(diagnose(stage.worker))
    assert "grant s3:GetBucketVersioning" in said
    assert "grant s3:ListBucketVersions" in said
    assert all("versionId" in path for method, path in stage.s3.requests if method == "DELETE")


def test_verify_says_what_is_not_deleted(stage: ObjectStage) -> None:
    """Queued is worth knowing, and wrong after a day; denied is wrong at once."""
    _, uris = stage.erased()
    [seen] = [each for each in verify(stage.worker).observations if each.check == "objects"]
    assert (seen.wrong, seen.count) == (False, len(uris))
    stage.clock.forward(hours=25)
    [seen] = [each for each in verify(stage.worker).observations if each.check == "objects"]
    assert seen.wrong
    stage.s3.fail(lambda _, path, __: (403, error("AccessDenied")) if "delete" in path else None)
    stage.drain()
    [seen] = [each for each in verify(stage.worker).observations if each.check == "objects"]
    assert (seen.wrong, seen.examples) == (True, ("AccessDenied",))
    stage.s3.fail(None)
    stage.clock.forward(days=2)
    stage.drain()
    assert [each for each in verify(stage.worker).observations if each.check == "objects"] == []


def test_verify_looks_into_the_store(stage: ObjectStage) -> None:
    """An object that is there again is wrong; one that is gone is not."""
    _, uris = stage.erased()
    stage.drain()
    found = verify(stage.worker, sample=100)
    [seen] = [each for each in found.observations if each.check == "objects_sampled"]
    assert (seen.wrong, seen.count, found.exit_code) == (False, len(uris), 0)
    stage.s3.put(uris[0])
    found = verify(stage.worker, sample=100)
    wrong = [each for each in found.observations if each.wrong]
    assert [(each.check, each.count) for each in wrong] == [("objects_sampled", 1)]
    assert uris[0] not in str(wrong)
    stage.s3.fail(lambda *_: "drop")
    assert verify(stage.worker, sample=100).exit_code == 1


def test_an_object_that_a_row_names_again(stage: ObjectStage) -> None:
    """Where rows share objects the application may have written it anew: nothing is wrong."""
    shared(stage, "{column: object_uri, shared: true}")
    _, uris = stage.erased()
    stage.clock.forward(hours=1)
    stage.drain()
    stage.s3.put(uris[0])
    name(stage, stage.account(idle_days=0), uris[0])
    assert [each for each in verify(stage.worker, sample=100).observations if each.wrong] == []


@pytest.mark.parametrize(
    "tamper",
    [
        "DELETE FROM retention.object_deletion"
        " WHERE id = (SELECT min(id) FROM retention.object_deletion)",
        "INSERT INTO retention.object_deleted"
        " (id, tenant_id, account_id, batch_id, entry, gone_batch, gone_at)"
        " SELECT 10000 + id, tenant_id, account_id, batch_id, entry, 1, queued_at"
        " FROM retention.object_deletion",
    ],
)
def test_verify_misses_no_object(stage: ObjectStage, tamper: str) -> None:
    """A row that somebody took out of the outbox, or that no batch says is gone, is found."""
    stage.erased()
    assert [each for each in verify(stage.worker).observations if each.wrong] == []
    stage.conn.execute(tamper.encode())
    wrong = [each for each in verify(stage.worker).observations if each.wrong]
    assert [each.check for each in wrong] == ["objects_astray"]
