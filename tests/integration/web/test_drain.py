"""A deletion by the API with objects behind it: complete when the bytes are gone, not before."""

from pathlib import Path

from retention_worker.domain.access.permission import Permission
from retention_worker.domain.objects.object import ObjectState
from retention_worker.service.objects.drain import drain
from retention_worker.service.objects.outbox import retry
from tests.integration.web.api import Api, paths


def test_complete_means_that_the_bytes_are_gone(api: Api, tmp_path: Path) -> None:
    """202 while a file is there, one that its store refuses included; 200 when the last is gone."""
    stage = api.stage
    root = tmp_path / "kyc"
    root.mkdir()
    stage.set(object_drain=True, object_files_root=root)
    account = stage.account(idle_days=0)
    stage.conn.execute("UPDATE images SET object_uri = id || '.jpg'")
    rows = stage.conn.execute("SELECT object_uri FROM images WHERE kind <> 'AUDIT'").fetchall()
    files = [root / name for (name,) in rows]
    for file in files:
        file.write_bytes(b"image")
    second = root / "second name.jpg"
    second.hardlink_to(files[0])
    remove = api.caller(Permission.DELETE, Permission.RETRIEVE)
    where = paths(account)["account"]

    answer = remove("DELETE", where)
    assert (answer.status_code, all(file.exists() for file in files)) == (202, True)
    drain(stage.worker)
    answer = remove("DELETE", where)
    assert (answer.status_code, [file.exists() for file in files].count(True)) == (202, 1)
    objects = answer.json()["objects"]
    assert (objects["total"], objects["failed"], objects["queued"]) == (len(files), 1, 0)

    second.unlink()
    retry(stage.worker, tenant="acme", state=ObjectState.FAILED, ids=None)
    drain(stage.worker)
    answer = remove("DELETE", where)
    assert (answer.status_code, answer.json()["state"]) == (200, "complete")
    assert list(root.iterdir()) == []
    deletion = remove("GET", f"/api/v1/deletions/{answer.json()['deletion']}")
    receipt = deletion.json()["receipt"]
    assert [each["objects_not_deleted"] for each in receipt["erasures"]] == [0]
