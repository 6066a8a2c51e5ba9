"""What keeps objects whose rows are gone already: a pause, a hold; and objects that are files."""

from datetime import timedelta
from pathlib import Path

import pytest

from retention_worker.domain.errors import GuardRefused
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds, pause
from retention_worker.service.request.erase import RequestedErasure, erase
from retention_worker.service.verify import verify
from tests.integration.objects.conftest import ObjectStage
from tests.integration.objects.test_live import name, shared


def test_a_pause_keeps_what_sweeps_queued(stage: ObjectStage) -> None:
    """Who stops everything keeps the bytes that are left; what people asked for goes on."""
    _, uris = stage.erased()
    pause.pause(stage.worker, reason="something is wrong", actor="me", until=None)
    asked = stage.account(idle_days=1)
    theirs = stage.uploaded(asked)
    wanted = RequestedErasure(
        kind="account",
        subject=str(asked.account),
        tenant="acme",
        scope=Scope.ALL,
        source="cli",
        actor="me",
        reason="asked",
    )
    erase(stage.worker, wanted)
    assert stage.drain().deleted == len(theirs)
    assert stage.s3.keys("sample-images") == {uri.split("/", 3)[3] for uri in uris}
    pause.resume(stage.worker)
    assert stage.drain().deleted == len(uris)


def test_a_tenant_that_its_file_pauses(stage: ObjectStage) -> None:
    """Its objects wait, as its rows do, until the file says otherwise; other tenants' go."""
    _, uris = stage.erased()
    stage.config.write_policy("acme", all_credentials="360 days", paused=True)
    stage.config.write_policy("bolt", all_credentials="360 days")
    other = stage.account(idle_days=400, tenant="bolt")
    theirs = stage.images(other)
    stage.sweep()
    assert stage.drain().deleted == len(theirs)
    stage.config.write_policy("acme", all_credentials="360 days")
    assert stage.drain().deleted == len(uris)


def test_a_clock_that_runs_ahead_deletes_nothing(stage: ObjectStage) -> None:
    """It would end a grace before its time; the sweep of the same process is refused as well."""
    stage.erased()
    ahead = stage.clock.now + timedelta(hours=2)
    stage.worker.clock = lambda: ahead
    with pytest.raises(GuardRefused, match="the worker's clock"):
        stage.drain()
    assert stage.s3.requests == []


def test_a_hold_keeps_what_is_left(stage: ObjectStage) -> None:
    """An account on hold keeps the objects that nobody has asked for yet; then they go."""
    account, uris = stage.erased()
    name = str(account.account)
    holds.place(stage.worker, name, tenant="acme", reason="court", actor="me", until=None)
    stage.clock.forward(days=3)
    assert stage.drain().deleted == 0
    assert [each for each in verify(stage.worker).observations if each.check == "objects"] == []
    holds.release(stage.worker, name, tenant="acme", reason="over", actor="me")
    assert stage.drain().deleted == len(uris)


def test_a_hold_keeps_what_another_account_named_too(stage: ObjectStage) -> None:
    """Both rows are gone, one account is on hold: the object stays until that is over."""
    uri = "s3://sample-images/of-both.jpg"
    held, other = stage.account(idle_days=400), stage.account(idle_days=400)
    for account in (held, other):
        name(stage, account, uri)
    stage.s3.put(uri)
    stage.sweep()
    subject = str(held.account)
    holds.place(stage.worker, subject, tenant="acme", reason="court", actor="me", until=None)
    stage.drain()
    assert (stage.states()["kept"], stage.s3.keys("sample-images")) == (1, {"of-both.jpg"})
    holds.release(stage.worker, subject, tenant="acme", reason="over", actor="me")
    stage.drain()
    assert stage.s3.keys("sample-images") == set()
    stage.clock.forward(hours=1)
    assert stage.drain().left == {}


def test_objects_that_are_files(stage: ObjectStage, tmp_path: Path) -> None:
    """By a template, below the root; one that would lead out fails, and its target stays."""
    root = tmp_path / "kyc"
    stage.set(object_files_root=root)
    shared(stage, '{column: object_uri, uri: "{tenant}/{value}"}')
    account, stays = stage.account(idle_days=400), stage.account(idle_days=1)
    for each in (account, stays):
        stage.conn.execute(
            "UPDATE images SET object_uri = id || '.jpg' WHERE transaction_id = ANY (%s)",
            [list(each.transactions)],
        )
    (root / "acme").mkdir(parents=True)
    for image in (*stage.images(account), *stage.images(stays)):
        (root / "acme" / image).write_bytes(b"image")
    (tmp_path / "outside.jpg").write_bytes(b"stays")
    stage.conn.execute(
        "UPDATE images SET object_uri = '../../outside.jpg' WHERE kind = 'SELFIE' "
        "AND transaction_id = ANY (%s)",
        [list(account.transactions)],
    )
    stage.sweep()
    report = stage.drain()
    assert (report.left, report.exit_code) == ({"failed": 1}, 1)
    there = {path.name for path in (root / "acme").iterdir()}
    assert set(stage.images(stays)) <= there
    assert len(there) == len(stage.images(stays)) + 1  # the one whose name was changed
    assert (tmp_path / "outside.jpg").exists()
