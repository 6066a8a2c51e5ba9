"""A table of files with a row a kind: which rows keep an object, and which name another one."""

import pytest

from retention_worker.domain.errors import DriftError
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.checks import blanks, examination
from retention_worker.service.verify import verify
from tests.factories import AccountIds
from tests.grants import ROLE
from tests.integration.objects.conftest import ObjectStage
from tests.stage import lane

THUMBS = (
    "{name: thumbs, table: public.derived, class: other, of: transaction, key: transaction_id, "
    "where: {kind: THUMB}, objects: {column: file_id, uri: 's3://sample-images/thumbs/{value}'}, "
    "erase: rows}"
)
CROPS = (
    "{name: crops, table: public.derived, class: other, of: transaction, key: transaction_id, "
    "where: {kind: CROP}, objects: {column: file_id, uri: 's3://sample-images/crops/{value}'}, "
    "erase: rows}"
)
NOTES = (
    "{name: notes, table: public.derived, class: other, of: transaction, key: transaction_id, "
    "where: {kind: NOTE}, erase: rows}"
)
AUDIT = "{table: public.derived, where: {kind: AUDIT}}"


@pytest.fixture
def derived(stage: ObjectStage) -> ObjectStage:
    """A table of derived files: the file's id, and a row a kind of it."""
    stage.conn.execute(
        "CREATE TABLE derived (id serial PRIMARY KEY, transaction_id uuid, kind text, "
        "file_id text, note text)"
    )
    stage.conn.execute("CREATE INDEX ON derived (transaction_id)")
    stage.conn.execute("CREATE INDEX ON derived (file_id)")
    stage.conn.execute(f"GRANT ALL ON derived TO {ROLE}".encode())
    return stage


def maps(stage: ObjectStage, *entries: str, retained: str = "") -> None:
    """Further entries and a further retained part of the data map."""
    path = stage.config.path / "datamap.yaml"
    text = path.read_text("utf-8")
    more = "".join(f"  - {each}\n" for each in entries)
    text = text.replace("credentials:\n", f"credentials:\n{more}")
    text = text.replace(
        "retained:\n", f"retained:\n  - {retained}\n" if retained else "retained:\n"
    )
    path.write_text(text, "utf-8")


def derive(stage: ObjectStage, account: AccountIds, kind: str | None, file: str) -> None:
    """A derived file of the account."""
    stage.conn.execute(
        "INSERT INTO derived (transaction_id, kind, file_id, note) VALUES (%s, %s, %s, 'x')",
        [account.transactions[0], kind, file],
    )


def images_gone(stage: ObjectStage) -> None:
    """Only the derived files are of interest."""
    stage.conn.execute("DELETE FROM images")


@pytest.mark.parametrize(
    ("kind", "keeps"),
    [
        ("THUMB", True),
        ("CROP", False),
        ("NOTE", False),
        ("AUDIT", True),
        ("OTHER", True),
        (None, True),
    ],
)
def test_a_row_of_another_kind(derived: ObjectStage, kind: str | None, keeps: bool) -> None:
    """Its value names another object where its entry says so; retained and unknown rows keep it."""
    maps(derived, THUMBS, CROPS, NOTES, retained=AUDIT)
    gone, stays = derived.account(idle_days=400), derived.account(idle_days=1)
    images_gone(derived)
    derive(derived, gone, "THUMB", "f1")
    derive(derived, stays, kind, "f1")
    derived.s3.put("s3://sample-images/thumbs/f1")
    derived.s3.put("s3://sample-images/crops/f1")
    derived.sweep()
    assert derived.drain().left == ({"kept": 1} if keeps else {})
    there = {"thumbs/f1", "crops/f1"} if keeps else {"crops/f1"}
    assert derived.s3.keys("sample-images") == there


@pytest.mark.parametrize("kind", ["NOTE", "AUDIT", "OTHER", None])
def test_a_column_that_holds_the_whole_uri(derived: ObjectStage, kind: str | None) -> None:
    """Whatever the row's kind, it names this very object."""
    plain = THUMBS.replace(", uri: 's3://sample-images/thumbs/{value}'", "")
    maps(derived, plain, NOTES, retained=AUDIT)
    gone, stays = derived.account(idle_days=400), derived.account(idle_days=1)
    images_gone(derived)
    derive(derived, gone, "THUMB", "s3://sample-images/f1")
    derive(derived, stays, kind, "s3://sample-images/f1")
    derived.s3.put("s3://sample-images/f1")
    derived.sweep()
    assert derived.drain().left == {"kept": 1}


FACES = (
    "{name: faces, table: public.derived, class: biometric, of: transaction, key: transaction_id, "
    "where: {kind: FACE}, objects: {column: file_id}, erase: {set: {file_id: null}}}"
)
IDS = FACES.replace("faces", "ids").replace("biometric", "other").replace("FACE", "[FRONT, BACK]")


def test_two_kinds_that_blank_one_column(derived: ObjectStage) -> None:
    """Biometrics go by themselves, with their objects, and the other kind's stay."""
    maps(derived, FACES, IDS)
    account = derived.account(idle_days=100)
    images_gone(derived)
    for kind in ("FACE", "FRONT"):
        derive(derived, account, kind, f"s3://sample-images/{kind}")
        derived.s3.put(f"s3://sample-images/{kind}")
    assert lane(derived.sweep(), Scope.BIOMETRICS).accounts == 1
    assert derived.drain().left == {}
    assert derived.s3.keys("sample-images") == {"FRONT"}
    assert derived.count("SELECT count(file_id) FROM derived") == 1


KEPT = (
    "{name: photos, table: public.derived, class: other, of: transaction, key: transaction_id, "
    "objects: {column: file_id}, erase: {set: {note: null}}}"
)


def test_objects_that_their_own_row_keeps(
    derived: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a map stops the lane; where objects are kept so all the same, `verify` says it."""
    maps(derived, KEPT)
    account = derived.account(idle_days=400)
    images_gone(derived)
    derive(derived, account, "PHOTO", "s3://sample-images/photo")
    derived.s3.put("s3://sample-images/photo")
    with pytest.raises(DriftError, match="file_id to set"):
        derived.sweep()
    checks = tuple(each for each in examination._CHECKS if each is not blanks.named_for_ever)
    monkeypatch.setattr(examination, "_CHECKS", checks)
    assert lane(derived.sweep(), Scope.ALL).stop_reason is StopReason.EXHAUSTED
    assert derived.drain().left == {"kept": 1}
    [found] = [each for each in verify(derived.worker).wrong if each.check == "objects_kept"]
    assert (found.count, found.tenant) == (1, "acme")
    assert found.examples == (str(account.account),)
    derived.conn.execute("UPDATE derived SET file_id = NULL")
    assert not [each for each in verify(derived.worker).wrong if each.check == "objects_kept"]


def test_objects_that_a_person_who_came_back_keeps(
    derived: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New activity is a reason to name it again."""
    maps(derived, KEPT.replace("{note: null}", "{note: null, file_id: null}"))
    account = derived.account(idle_days=400)
    images_gone(derived)
    derive(derived, account, "PHOTO", "s3://sample-images/photo")
    derived.sweep()
    derived.clock.forward(minutes=1)
    derived.conn.execute("UPDATE accounts SET last_activity_at = %s", [derived.clock.now])
    derived.conn.execute("UPDATE derived SET file_id = 's3://sample-images/photo', note = 'x'")
    assert derived.drain().left == {"kept": 1}
    assert not [each for each in verify(derived.worker).wrong if each.check == "objects_kept"]


@pytest.mark.parametrize("tenant", [None, "bolt"])
def test_a_row_that_says_another_tenant(derived: ObjectStage, tenant: str | None) -> None:
    """It hangs on an account by its key, so it names that account's object: it keeps it."""
    derived.conn.execute("ALTER TABLE derived ADD tenant_id text DEFAULT 'acme'")
    maps(
        derived,
        THUMBS.replace("thumbs/{value}", "{tenant}/{value}").replace(
            "key: transaction_id,", "key: transaction_id, tenant: tenant_id,"
        ),
    )
    gone, stays = derived.account(idle_days=400), derived.account(idle_days=1)
    images_gone(derived)
    derive(derived, gone, "THUMB", "f1")
    derive(derived, stays, "THUMB", "f1")
    derived.conn.execute(
        "UPDATE derived SET tenant_id = %s WHERE transaction_id = %s",
        [tenant, stays.transactions[0]],
    )
    derived.s3.put("s3://sample-images/acme/f1")
    derived.sweep()
    assert derived.drain().left == {"kept": 1}
    assert derived.s3.keys("sample-images") == {"acme/f1"}
