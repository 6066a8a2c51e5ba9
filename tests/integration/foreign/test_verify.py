"""On products of every shape `verify` finds what is due, what came back, and nothing else.

It shares no statement with the sweep, so that each proves the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.ledger.verification import Verification
from retention_worker.domain.scope import Scope
from retention_worker.service.plan.plan import plan
from retention_worker.service.sweep.sweep import sweep
from retention_worker.service.verify import verify
from retention_worker.store import catalog
from retention_worker.store.examine.recreation import SQLSTATE, recreation_sql
from tests.grants import SCHEMA
from tests.integration.foreign import test_lodging as lodging
from tests.integration.foreign import test_parcels as parcels
from tests.integration.foreign import test_quilt as quilt
from tests.integration.foreign import test_strata as strata
from tests.integration.foreign import test_tessera as tessera
from tests.integration.foreign.conftest import NOW
from tests.integration.foreign.site import HERE, Rows, Site, merged, site_of, template_of
from tests.server import Server

RECENT, FACES_DUE, ALL_DUE = (NOW - timedelta(days=days) for days in (5, 40, 400))
# Of three accounts each: active, past the shorter period, past both.
AGES = (RECENT, FACES_DUE, ALL_DUE)


def _tessera() -> Rows:
    members = dict[int, datetime | None](enumerate(AGES))
    return merged([tessera.org(1, members), tessera.org(2, members)])


PRODUCTS: dict[str, tuple[str, Rows]] = {
    "lodging": (
        "lodging",
        merged([lodging.user(f"u{n}", at.replace(tzinfo=None)) for n, at in enumerate(AGES)]),
    ),
    "parcels": (
        "north",
        merged([parcels.customer(n, at, "north") for n, at in enumerate(AGES, start=1)]),
    ),
    "quilt": ("acme", merged([quilt.client(n, at) for n, at in enumerate(AGES)])),
    "strata": ("acme", merged([strata.account(n, at) for n, at in enumerate(AGES, start=1)])),
    "tessera": ("1", _tessera()),
}


@pytest.fixture(params=PRODUCTS)
def installed(
    request: pytest.FixtureRequest, server: Server, tmp_path: Path
) -> Iterator[tuple[Site, Rows]]:
    """A product with its guards against recreation, three accounts, and a policy of both periods.

    A tenant without a policy has the same where tenants share tables.
    """
    tenant, rows = PRODUCTS[request.param]
    schema, datamap = (
        (HERE / request.param / name).read_text("utf-8") for name in ("schema.sql", "datamap.yaml")
    )
    schema = schema.replace("/*PARTITION*/", parcels.RANGES)
    with (
        template_of(server, tmp_path / "template", schema, datamap) as template,
        site_of(server, template, tmp_path, datamap, NOW) as site,
    ):
        site.settings["overdue_after"] = timedelta(0)
        has_biometrics = "class: biometric" in datamap
        policy = {"tenant_id": tenant} if tenant == "1" else {}
        name = "org" if tenant == "1" else tenant
        site.config.write_policy(name, "100 days", "30 days" if has_biometrics else None, **policy)
        site.load(rows)
        with site.database.connect() as conn:
            conn.execute(guards_of(site, conn).encode())
        yield site, rows


def guards_of(site: Site, conn: psycopg.Connection) -> str:
    """The guards of the site's own map; a harmless statement where it wants none."""
    datamap = load_datamap(site.config.path).datamap
    found = catalog.read(conn, catalog.mapped_tables(datamap))
    return recreation_sql(datamap, found, SCHEMA) or "SELECT 1"


def proof(site: Site) -> Verification:
    """Verify now."""
    with site.worker() as worker:
        return verify(worker)


def wrong(site: Site) -> set[str]:
    """The checks that found something wrong, but for kinds of rows that the map leaves out."""
    return {each.check for each in proof(site).wrong} - {"unclaimed"}


def test_it_finds_what_a_plan_finds(installed: tuple[Site, Rows]) -> None:
    """Before a sweep everything that is due counts as overdue; after it nothing is."""
    site, _ = installed
    with site.worker() as worker:
        planned = {lane.scope: lane.due for lane in plan(worker).lanes}
    found = {lane.scope: lane.overdue for lane in proof(site).lanes}
    assert found == {Scope.BIOMETRICS: 2, Scope.ALL: 1} == planned
    assert wrong(site) == {"overdue"}
    site.sweep()
    after = proof(site)
    assert wrong(site) == set()
    assert after.lanes == ()
    assert after.erasures == 3
    site.sweep_again()


def test_a_restored_backup_is_found(installed: tuple[Site, Rows]) -> None:
    """Every row as it was before: what was erased is back, and goes again when asked to."""
    site, rows = installed
    site.sweep()
    with site.database.connect() as conn:
        # The guards would refuse some of it.
        conn.execute("SET session_replication_role = replica")
        for table in rows:
            conn.execute(SQL("TRUNCATE {} CASCADE").format(Identifier(*table.split("."))))
    with site.database.connect() as conn:
        for table, trigger in _triggers(conn):
            conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}".encode())
    site.load(rows)
    entries = load_datamap(site.config.path).datamap.credentials
    back = [each for each in proof(site).observations if each.check == "back"]
    assert {each.message.split(": ")[0] for each in back} == {each.name for each in entries}
    with site.worker() as worker:
        sweep(worker, reconcile=True)
    assert wrong(site) == set()


def test_biometrics_of_transactions_are_not_created_again(installed: tuple[Site, Rows]) -> None:
    """Where they belong to transactions, composite keys, partitions and links included.

    The worker's own blanking of the same rows passes.
    """
    site, rows = installed
    datamap = load_datamap(site.config.path).datamap
    with site.database.connect() as conn:
        guarded = {str(table) for table, _ in _triggers(conn)}
    if not guarded:
        pytest.skip("has no biometrics of transactions")
    attempts = {
        "public.faceprint": "INSERT INTO faceprint SELECT 200, '2023-12-31', 'north', '\\x01'",
        "public.visits": "UPDATE visits SET iris = '\\x01' WHERE client_id = 'C2'",
    }
    assert {"public.faceprint", "public.visits"} >= guarded
    site.sweep()
    if datamap.transactions is not None and datamap.transactions.created_at is None:
        # An account's tombstone cannot tell old transactions from new ones: the transaction's can.
        site.execute(
            "INSERT INTO retention.erasure "
            "(batch_id, tenant_id, kind, subject_id, scope, complete, erased_at) "
            "SELECT 0, 'north', 'transaction', '[' || to_json(id::text) || ', ' "
            "|| to_json(started_on::text) || ']', 'all', TRUE, now() FROM session"
        )
    before = site.rows_now()
    for table in guarded:
        with pytest.raises(psycopg.DatabaseError) as caught:
            site.execute(attempts[table])
        assert caught.value.sqlstate == SQLSTATE, str(caught.value)
    assert site.rows_now() == before
    assert rows.keys() >= guarded


def _triggers(conn: psycopg.Connection) -> list[tuple[str, str]]:
    """The guards: the quoted table (with its schema) and the trigger."""
    found = conn.execute(
        "SELECT n.nspname || '.' || c.relname, t.tgname FROM pg_trigger t "
        "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE starts_with(t.tgname, 'zz_no_recreation') AND t.tgparentid = 0"
    ).fetchall()
    return [(str(table), str(trigger)) for table, trigger in found]
