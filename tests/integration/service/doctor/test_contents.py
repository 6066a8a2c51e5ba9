"""What rows say: kinds that nobody claims, activity that no period can be counted from."""

from datetime import UTC, datetime

import pytest

from retention_worker.store.examine import samples
from tests import factories
from tests.integration.service.doctor.patient import Patient

OLD = datetime(2025, 1, 1, tzinfo=UTC)


def test_rows_that_no_entry_claims(patient: Patient) -> None:
    """A kind that is in no entry and not retained is told by its name; once named, it is not."""
    with patient.database.connect() as conn:
        ids = factories.make_account(conn, last_activity=OLD)
        conn.execute("ALTER TABLE images DROP CONSTRAINT images_kind_check")
        factories.add_image(conn, ids.transactions[0], OLD, kind="LIVENESS_VIDEO")
        factories.add_image(conn, ids.transactions[0], OLD, kind="AUDIT")
    (found,) = patient.examine()
    assert (found.severity, found.check, found.subject) == (
        "warn",
        "unclaimed-rows",
        "public.images",
    )
    assert "(kind=LIVENESS_VIDEO)" in found.message
    patient.entry("selfies and ID images")["where"]["kind"] = ["SELFIE", "ID_FRONT", "ID_BACK"]
    patient.add_entry(
        name="videos",
        table="public.images",
        of="transaction",
        key="transaction_id",
        where={"kind": "LIVENESS_VIDEO"},
    )
    assert patient.examine() == ()


def test_a_kind_that_is_null(patient: Patient) -> None:
    """NULL is in no list of values, and is found nevertheless."""
    with patient.database.connect() as conn:
        ids = factories.make_account(conn, last_activity=OLD)
        conn.execute("ALTER TABLE images ALTER kind DROP NOT NULL")
        factories.add_image(conn, ids.transactions[0], OLD, kind=None)  # type: ignore[arg-type]
    (found,) = patient.examine()
    assert "(kind=None)" in found.message


def test_a_table_that_is_too_large_to_look_through(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look ends after a few seconds, and that is told: silence would mean that all is well."""
    patient.run(
        "ALTER TABLE images RENAME TO all_images",
        "CREATE VIEW images AS SELECT *, pg_sleep(1) IS NULL AS slow FROM all_images",
    )
    with patient.database.connect() as conn:
        ids = factories.make_account(conn, last_activity=OLD, transactions=0, images=0)
        transaction = factories.add_transaction(conn, ids.account, OLD)
        conn.execute(
            "INSERT INTO all_images (transaction_id, kind, object_uri) VALUES (%s, 'AUDIT', 'x')",
            (transaction,),
        )
    patient.entry("selfies and ID images")["where"] = {"slow": [True]}
    patient.map["retained"] = patient.map["retained"][:2]
    monkeypatch.setattr(samples, "_TIMEOUT", "50ms")
    assert ("look", "public.images") in patient.warned()


@pytest.mark.parametrize(
    ("value", "message"),
    [("'infinity'", "1 account(s) with an infinite"), ("NULL", "1 account(s) with no last")],
)
def test_activity_that_is_never_due(patient: Patient, value: str, message: str) -> None:
    """Accounts without a time, or with an infinite one, would stay for ever in silence."""
    with patient.database.connect() as conn:
        factories.make_account(conn, last_activity=OLD)
        factories.make_account(conn, last_activity=OLD)
        conn.execute("ALTER TABLE accounts ALTER last_activity_at DROP NOT NULL")
        conn.execute(
            f"UPDATE accounts SET last_activity_at = {value} "
            "WHERE id = (SELECT id FROM accounts LIMIT 1)".encode()
        )
    (found,) = patient.examine()
    assert (found.check, found.subject) == ("activity", "public.accounts")
    assert message in found.message


@pytest.mark.parametrize("type_", ["date", "timestamp", "bigint", "numeric", "float8"])
def test_activity_of_every_type(patient: Patient, type_: str) -> None:
    """The look understands every type that a time may have."""
    patient.run(
        f"ALTER TABLE accounts ADD seen {type_}",
        "CREATE INDEX ON accounts (tenant_id, seen, id)",
    )
    unit = {"unit": "ms"} if type_ in ("bigint", "numeric", "float8") else {}
    patient.map["accounts"]["last_activity"] = {"column": "seen", **unit}
    assert patient.examine() == ()


def test_a_large_table_that_was_never_analyzed(patient: Patient) -> None:
    """Without statistics the server guesses; the SQL mends it."""
    patient.run(
        "ALTER TABLE accounts SET (autovacuum_enabled = off)",
        "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')",
        "INSERT INTO accounts (tenant_id, external_ref) "
        "SELECT 'acme', n::text FROM generate_series(1, 120000) n",
    )
    (found,) = patient.examine()
    assert (found.check, found.subject) == ("never-analyzed", "public.accounts")
    patient.run(found.sql or "")
    assert patient.examine() == ()


def test_a_schema_that_was_not_migrated(patient: Patient) -> None:
    """Before `migrate` the rest of the examination works all the same."""
    patient.run("DROP TABLE retention.migration")
    assert patient.warned() == [("own-schema", "retention")]
    assert patient.refused() == []


def test_a_statement_that_only_the_server_can_judge(patient: Patient) -> None:
    """What no other check knows is found by asking the server to plan each statement."""
    patient.run(
        "CREATE TYPE kinds AS ENUM ('A')",
        "CREATE TABLE notes (id int PRIMARY KEY, account_id uuid, kind kinds)",
        "CREATE INDEX ON notes (account_id)",
    )
    patient.add_entry(name="notes", table="public.notes", where={"kind": "Z"})
    found = patient.examine()
    assert {each.check for each in found} == {"statement"}
    assert {each.severity for each in found} == {"refuse"}
    assert "credentials[notes]" in {each.subject for each in found}
