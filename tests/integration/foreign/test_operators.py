"""Ids are the same where their own index says so, whatever the search_path would choose."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.errors import OnHold
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds
from retention_worker.service.request.erase import RequestedErasure, erase
from retention_worker.service.sweep.sweep import sweep
from retention_worker.service.verify import verify
from retention_worker.store import catalog
from retention_worker.store.examine import recreation
from tests.integration.foreign.conftest import NOW
from tests.integration.foreign.site import Site, site_of, template_of
from tests.server import Server

SCHEMA = """
{prologue}
CREATE TABLE accounts (id {kind} PRIMARY KEY, tenant_id {kind}, last_activity_at timestamptz);
CREATE TABLE transactions (id {kind} PRIMARY KEY, account_id {kind} REFERENCES accounts,
    tenant_id {kind}, created_at timestamptz);
CREATE TABLE face (id serial PRIMARY KEY, transaction_id {kind} REFERENCES transactions, v text);
CREATE TABLE images (id serial PRIMARY KEY, transaction_id {kind} REFERENCES transactions);
CREATE INDEX ON accounts (tenant_id, last_activity_at, id);
CREATE INDEX ON transactions (account_id);
CREATE INDEX ON face (transaction_id);
CREATE INDEX ON images (transaction_id);
"""
DATAMAP = """
accounts: {table: public.accounts, id: id, tenant: tenant_id, last_activity: last_activity_at}
transactions:
  table: public.transactions
  id: id
  account: account_id
  tenant: tenant_id
  created_at: created_at
credentials:
  - {name: face, table: public.face, class: biometric, of: transaction, key: transaction_id,
     erase: rows}
  - {name: images, table: public.images, class: other, of: transaction, key: transaction_id,
     erase: rows}
"""
ELSEWHERE = "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext;"
# Equal to nothing, and an exact match for varchar, where the server's own has to convert.
HOSTILE = """
CREATE FUNCTION public.never(varchar, varchar) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS 'SELECT false';
CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.never);
"""
KINDS = {
    "citext in a schema of its own": (ELSEWHERE, "ext.citext"),
    "citext in public": ("CREATE EXTENSION citext;", "public.citext"),
    "a domain over citext": (ELSEWHERE + "CREATE DOMAIN handle AS ext.citext;", "public.handle"),
    "varchar beside a hostile operator": (HOSTILE, "varchar"),
}


@dataclass(frozen=True)
class Case:
    """The product with ids of a kind, and how else one may write an id."""

    site: Site
    other: Callable[[str], str]

    def left(self) -> tuple[int, int]:
        """How many rows of either credential there are."""
        rows = self.site.query("SELECT (SELECT count(*) FROM face), (SELECT count(*) FROM images)")
        return rows[0][0], rows[0][1]


@pytest.fixture(params=list(KINDS))
def case(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Case]:
    """Where case does not matter, children write capitals."""
    prologue, kind = KINDS[request.param]
    schema = SCHEMA.format(prologue=prologue, kind=kind)
    other = str.lower if kind == "varchar" else str.upper
    with (
        template_of(server, tmp_path / "template", schema, DATAMAP) as template,
        site_of(server, template, tmp_path, DATAMAP, NOW) as site,
    ):
        for number in range(6):
            # The same moment for most, so that pages go on by the id alone.
            at = NOW - timedelta(days=500 if number else 5)
            name = f"ann{number}"
            mine = name if number % 2 else other(name)
            site.execute("INSERT INTO accounts VALUES (%s, 'acme', %s)", mine, at)
            with site.database.connect() as conn:
                # A foreign key's own check is its index's, too.
                conn.execute(
                    "INSERT INTO transactions VALUES (%s, %s, %s, %s)",
                    (f"t{name}", other(name), other("acme"), at),
                )
            site.execute("INSERT INTO face (transaction_id) VALUES (%s)", other(f"t{name}"))
            site.execute("INSERT INTO images (transaction_id) VALUES (%s)", other(f"t{name}"))
        site.config.write_policy("acme", "360 days", "90 days")
        yield Case(site, other)


def test_everything_due_goes_and_nothing_else(case: Case) -> None:
    """Children that the foreign key calls theirs go with their account, page after page."""
    case.site.sweep(batch_max_accounts=2)
    assert case.left() == (1, 1)
    case.site.sweep_again()
    with case.site.worker() as worker:
        assert not verify(worker).wrong


def test_a_hold_and_a_request_know_the_account_however_it_is_written(case: Case) -> None:
    """What a person writes is the account's id as the database compares it."""
    name = case.other("ann1")
    wanted = RequestedErasure(
        kind="account",
        subject=name,
        tenant="acme",
        scope=Scope.ALL,
        source="cli",
        actor="test",
        reason="Art. 17",
    )
    with case.site.worker() as worker:
        holds.place(worker, name, tenant="acme", reason="court", actor="test", until=None)
        with pytest.raises(OnHold):
            erase(worker, wanted)
        sweep(worker)
        assert case.left() == (2, 2)
        holds.release(worker, name, tenant="acme", reason="over", actor="test")
        assert erase(worker, wanted).rows == {"face": 1, "images": 1}


def test_erased_biometrics_stay_out(case: Case) -> None:
    """The trigger knows the transaction by the operator of its key, not by its own search_path."""
    parsed = load_datamap(case.site.config.path).datamap
    with case.site.database.connect() as conn:
        found = catalog.read(conn, catalog.mapped_tables(parsed))
        conn.execute(recreation.recreation_sql(parsed, found, "retention").encode())
    case.site.sweep()
    with pytest.raises(psycopg.Error) as refused:
        case.site.execute("INSERT INTO face (transaction_id) VALUES (%s)", case.other("tann1"))
    assert refused.value.sqlstate == "RW001"
