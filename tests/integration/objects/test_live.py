"""An object that a live row still names is kept, whoever's row it is."""

from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.objects.object import ObjectState
from retention_worker.store.connection.pool import reading
from retention_worker.store.mapsql import compile_map
from tests.factories import AccountIds, make_account
from tests.integration.objects.conftest import ObjectStage


def name(stage: ObjectStage, account: AccountIds, uri: str, kind: str = "SELFIE") -> None:
    """Let the account's image of that kind name an object."""
    stage.conn.execute(
        "UPDATE images SET object_uri = %s WHERE id = "
        "(SELECT id FROM images WHERE transaction_id = ANY (%s) AND kind = %s LIMIT 1)",
        [uri, list(account.transactions), kind],
    )


@pytest.mark.parametrize(
    ("tenant", "kind"), [("acme", "SELFIE"), ("bolt", "SELFIE"), ("acme", "AUDIT")]
)
def test_another_row_names_it(stage: ObjectStage, tenant: str, kind: str) -> None:
    """It may be the tenant's, another's, or retained: the object goes an hour after that row."""
    uri = "s3://sample-images/shared.jpg"
    gone = stage.account(idle_days=400)
    stays = make_account(stage.conn, tenant=tenant, last_activity=stage.clock.now)
    if kind == "AUDIT":
        stage.conn.execute(
            "INSERT INTO images (transaction_id, kind, object_uri, created_at) "
            "VALUES (%s, 'AUDIT', %s, %s)",
            [stays.transactions[0], uri, stage.clock.now],
        )
    else:
        name(stage, stays, uri)
    name(stage, gone, uri)
    stage.uploaded(gone)
    stage.sweep()
    report = stage.drain()
    assert (report.left, report.exit_code) == ({"kept": 1}, 0)
    assert stage.s3.keys("sample-images") == {"shared.jpg"}
    stage.conn.execute("DELETE FROM images WHERE object_uri = %s", [uri])
    stage.clock.forward(hours=1)
    assert (stage.drain().deleted, stage.s3.keys("sample-images")) == (1, set())


def shared(stage: ObjectStage, objects: str) -> None:
    """Change how the data map names objects."""
    path = stage.config.path / "datamap.yaml"
    text = path.read_text("utf-8")
    assert "objects: {column: object_uri}" in text
    path.write_text(text.replace("objects: {column: object_uri}", f"objects: {objects}"), "utf-8")


@pytest.mark.parametrize(
    "form", ["{}", "{root}/{}", "file://{root}/{}", "file://localhost{root}/{}"]
)
def test_a_row_names_a_file_in_another_way(stage: ObjectStage, tmp_path: Path, form: str) -> None:
    """A path in the root or an absolute one, a URI: it is the same file."""
    root = tmp_path / "the images"
    (root / "acme").mkdir(parents=True)
    (root / "acme" / "a.jpg").write_bytes(b"image")
    stage.set(object_files_root=root)
    gone, stays = stage.account(idle_days=400), stage.account(idle_days=1)
    name(stage, gone, f"{root}/acme/a.jpg")
    name(stage, stays, form.format("acme/a.jpg", root=quote(str(root)) if ":" in form else root))
    stage.sweep()
    assert stage.drain().left == {"kept": 1}
    assert (root / "acme" / "a.jpg").exists()


def test_shared_objects_wait_for_a_grace(stage: ObjectStage) -> None:
    """The application may be about to name it again: nobody touches it for an hour."""
    shared(stage, "{column: object_uri, shared: true}")
    _, uris = stage.erased()
    stage.clock.forward(seconds=3_599)
    assert (stage.drain().deleted, stage.s3.requests) == (0, [])
    again = stage.account(idle_days=0)
    name(stage, again, uris[0])
    stage.clock.forward(seconds=1)
    assert stage.drain().deleted == len(uris) - 1
    assert {f"s3://sample-images/{key}" for key in stage.s3.keys("sample-images")} == {uris[0]}


def test_the_last_row_that_named_it_has_a_grace_too(stage: ObjectStage) -> None:
    """One that was kept for a row waits, once that row is gone, for that row's own grace."""
    shared(stage, "{column: object_uri, shared: true}")
    uri = "s3://sample-images/shared.jpg"
    first, last = stage.account(idle_days=400), stage.account(idle_days=359.99)
    for account in (first, last):
        name(stage, account, uri)
    stage.s3.put(uri)
    stage.sweep()
    stage.clock.forward(hours=1)
    assert stage.drain().left == {"kept": 1}
    stage.clock.forward(minutes=59)
    stage.sweep()  # the last one's row goes
    for _ in range(59):
        stage.clock.forward(minutes=1)
        stage.drain()
        assert stage.s3.keys("sample-images") == {"shared.jpg"}
    stage.clock.forward(minutes=1)
    stage.drain()
    assert stage.s3.keys("sample-images") == set()
    stage.clock.forward(hours=1)
    assert stage.drain().left == {}


def test_templates(stage: ObjectStage) -> None:
    """A name that another account, or another tenant, has too is another object there."""
    shared(stage, '{column: object_uri, uri: "s3://sample-images/{tenant}/{id}/{value}"}')
    gone, active = stage.account(idle_days=400), stage.account(idle_days=1)
    other = make_account(stage.conn, tenant="bolt", last_activity=stage.clock.now)
    for account in (gone, active, other):
        name(stage, account, "selfie.jpg")
    stage.s3.put(f"s3://sample-images/acme/{gone.account}/selfie.jpg")
    stage.s3.put(f"s3://sample-images/acme/{active.account}/selfie.jpg")
    stage.sweep()
    report = stage.drain()
    assert report.left == {}
    assert stage.s3.keys("sample-images") == {f"acme/{active.account}/selfie.jpg"}


def test_a_template_of_the_tenant_alone(stage: ObjectStage) -> None:
    """Two accounts of a tenant that use one name share the object; another tenant's is another."""
    shared(stage, '{column: object_uri, uri: "s3://sample-images/{tenant}/{value}"}')
    gone, active = stage.account(idle_days=400), stage.account(idle_days=1)
    other = make_account(stage.conn, tenant="bolt", last_activity=stage.clock.now)
    name(stage, gone, "a/shared.jpg")
    name(stage, active, "a/shared.jpg")
    name(stage, gone, "own.jpg", "ID_FRONT")
    name(stage, other, "own.jpg")
    for key in ("acme/a/shared.jpg", "acme/own.jpg", "bolt/own.jpg"):
        stage.s3.put(f"s3://sample-images/{key}")
    stage.sweep()
    assert stage.drain().left == {ObjectState.KEPT: 1}
    assert stage.s3.keys("sample-images") == {"acme/a/shared.jpg", "bolt/own.jpg"}


def test_a_name_that_can_be_read_in_too_many_ways(stage: ObjectStage) -> None:
    """A row may name it, so it is kept."""
    shared(stage, '{column: object_uri, uri: "s3://sample-images/{tenant}-{id}-{value}"}')
    gone = stage.account(idle_days=400)
    name(stage, gone, "-" * 100)
    stage.sweep()
    assert stage.drain().left == {"kept": 1}


def test_two_accounts_that_go_together(stage: ObjectStage) -> None:
    """Both named the object: it goes once, and both are told."""
    uri = f"s3://sample-images/{uuid4()}"
    for _ in range(2):
        name(stage, account := stage.account(idle_days=400), uri)
        stage.uploaded(account)
    stage.sweep()
    report = stage.drain()
    assert (report.left, stage.s3.keys("sample-images")) == ({}, set())
    assert report.deleted == stage.count("SELECT count(*) FROM retention.object_deleted") - 1


def test_the_live_check_uses_the_index(stage: ObjectStage) -> None:
    """Asking for a thousand objects walks the column's index."""
    compiled = compile_map(stage.conn, load_datamap(stage.config.path).datamap, "retention")
    with stage.worker.pool.connection() as conn, reading(conn):
        for sql in compiled.live:
            rows = conn.execute(
                b"EXPLAIN " + sql.statement.as_bytes(conn),
                {"values": [str(uuid4()) for _ in range(1_000)], "tenant": "acme"},
            ).fetchall()
            plan = "\n".join(row[0] for row in rows)
            assert "Index" in plan, plan
            assert "Seq Scan" not in plan, plan
