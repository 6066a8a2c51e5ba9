"""A world that does not keep to the worker's model: ids, tenants and parents of its rows change.

Ids are citext whose extension no search_path names; children write them in another case than their
parents, and say a tenant that may differ from the account's, or none. What belongs to whom is read
here by foreign keys alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import psycopg

TENANTS = ("acme", "birch")
BIOMETRIC = frozenset({"face", "voice"})

SCHEMA = """
CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE TABLE accounts (
    id ext.citext PRIMARY KEY, person int NOT NULL UNIQUE, tenant_id text,
    last_activity_at timestamptz
);
CREATE TABLE transactions (
    id ext.citext PRIMARY KEY, number serial UNIQUE,
    account_id ext.citext NOT NULL REFERENCES accounts ON UPDATE CASCADE,
    tenant_id text, created_at timestamptz NOT NULL, frozen boolean NOT NULL DEFAULT false,
    note text NOT NULL DEFAULT ''
);
CREATE TABLE face (
    id serial PRIMARY KEY, tenant_id text, vector text NOT NULL DEFAULT 'v',
    transaction_id ext.citext NOT NULL REFERENCES transactions ON UPDATE CASCADE
);
CREATE TABLE image (
    id serial PRIMARY KEY,
    transaction_id ext.citext NOT NULL REFERENCES transactions ON UPDATE CASCADE
);
CREATE TABLE voice (
    id serial PRIMARY KEY, account_id ext.citext NOT NULL REFERENCES accounts ON UPDATE CASCADE
);
CREATE INDEX ON accounts (tenant_id, last_activity_at, id);
CREATE INDEX ON transactions (account_id);
CREATE INDEX ON face (transaction_id);
CREATE INDEX ON image (transaction_id);
CREATE INDEX ON voice (account_id);
"""

# A rule of the application that some rows break when they are blanked. It comes after the data map
# was looked at, as rules do.
REFUSES_BLANKS = """
ALTER TABLE transactions ADD CONSTRAINT frozen_keeps_its_note
    CHECK (NOT frozen OR length(note) > 2)
"""

DATAMAP = """
accounts: {table: public.accounts, id: id, tenant: tenant_id, last_activity: last_activity_at}
transactions:
  table: public.transactions
  id: id
  account: account_id
  tenant: tenant_id
  created_at: created_at
  metadata: [created_at]
credentials:
  - name: faces
    table: public.face
    class: biometric
    of: transaction
    key: transaction_id
    tenant: tenant_id
    erase: rows
  - {name: voices, table: public.voice, class: biometric, of: account, key: account_id, erase: rows}
  - name: images
    table: public.image
    class: other
    of: transaction
    key: transaction_id
    erase: rows
  - name: notes
    table: public.transactions
    class: other
    of: transaction
    key: id
    tenant: tenant_id
    erase: {set: {note: ''}}
"""

_CREDENTIALS = """
SELECT a.person, 'face', c.id::text FROM face c
  JOIN transactions t ON t.id = c.transaction_id JOIN accounts a ON a.id = t.account_id
UNION ALL SELECT a.person, 'image', c.id::text FROM image c
  JOIN transactions t ON t.id = c.transaction_id JOIN accounts a ON a.id = t.account_id
UNION ALL SELECT a.person, 'voice', c.id::text FROM voice c JOIN accounts a ON a.id = c.account_id
UNION ALL SELECT a.person, 'note', t.number::text FROM transactions t
  JOIN accounts a ON a.id = t.account_id WHERE t.note <> ''
"""

# Who has rows that say another tenant than the account, or none.
_STRAYS = """
SELECT a.person FROM accounts a JOIN transactions t ON t.account_id = a.id
  LEFT JOIN face f ON f.transaction_id = t.id
 WHERE (t.tenant_id IS DISTINCT FROM a.tenant_id AND
        (t.note <> '' OR f.id IS NOT NULL
         OR EXISTS (SELECT 1 FROM image i WHERE i.transaction_id = t.id)))
    OR (f.id IS NOT NULL AND f.tenant_id IS DISTINCT FROM a.tenant_id)
"""

_REFUSES = """
SELECT a.person FROM accounts a JOIN transactions t ON t.account_id = a.id
 WHERE t.frozen AND t.note <> ''
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A credential: its table (`note`: columns of a transaction that stays) and key."""

    table: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account as its own row has it."""

    person: int
    id: str
    tenant: str | None
    activity: datetime


class World:
    """The application's database, written to as the application does."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self._conn = conn
        self._people = 0
        self._names = 0
        conn.execute("SET search_path = public, ext")

    def accounts(self) -> dict[int, Account]:
        """The accounts, by person."""
        rows = self._conn.execute(
            "SELECT person, id::text, tenant_id, last_activity_at FROM accounts"
        )
        return {p: Account(person=p, id=i, tenant=t, activity=at) for p, i, t, at in rows}

    def credentials(self) -> dict[int, set[Row]]:
        """What is there of each person, by foreign keys alone."""
        found: dict[int, set[Row]] = {person: set() for person in self.accounts()}
        for person, table, key in self._conn.execute(_CREDENTIALS):
            found[person].add(Row(table=table, key=key))
        return found

    def transactions(self, person: int) -> set[str]:
        """The ids of a person's transactions, in small letters."""
        rows = self._conn.execute(
            "SELECT lower(t.id::text) FROM transactions t JOIN accounts a ON a.id = t.account_id "
            "WHERE a.person = %s",
            (person,),
        )
        return {name for (name,) in rows}

    def strays(self) -> set[int]:
        """People with credentials that a tenant's condition would not reach."""
        return {person for (person,) in self._conn.execute(_STRAYS)}

    def refusing(self) -> set[int]:
        """People with a row that the database does not let be blanked."""
        return {person for (person,) in self._conn.execute(_REFUSES)}

    def kept(self) -> dict[str, list[str]]:
        """What no sweep may touch: every column that is no credential."""
        rows = self._conn.execute(
            "SELECT concat_ws('|', id, account_id, tenant_id, created_at, frozen) FROM transactions"
        )
        accounts = self._conn.execute("SELECT a::text FROM accounts a")
        return {
            "transactions": sorted(text for (text,) in rows),
            "accounts": sorted(text for (text,) in accounts),
        }

    def arrive(self, tenant: str, activity: datetime, transactions: int) -> int:
        """An account with a voice, and with transactions that have one credential of each kind."""
        self._people += 1
        name = self._name("Acc")
        self._conn.execute(
            "INSERT INTO accounts VALUES (%s, %s, %s, %s)", (name, self._people, tenant, activity)
        )
        self._conn.execute("INSERT INTO voice (account_id) VALUES (%s)", (name.upper(),))
        for _ in range(transactions):
            self.open(self._people, tenant, activity, frozen=False)
        return self._people

    def open(self, person: int, tenant: str | None, at: datetime, *, frozen: bool) -> None:
        """A transaction begins, written by somebody who has his own idea of the tenant."""
        name = self._name("Txn")
        self._conn.execute(
            "INSERT INTO transactions (id, account_id, tenant_id, created_at, frozen, note) "
            "SELECT %s, upper(id::text), %s, %s, %s, 'field' FROM accounts WHERE person = %s",
            (name, tenant, at, frozen, person),
        )
        for table in ("face", "image"):
            columns = "(transaction_id, tenant_id)" if table == "face" else "(transaction_id)"
            values = (name.lower(), tenant) if table == "face" else (name.lower(),)
            marks = ", ".join(["%s"] * len(values))
            self._conn.execute(f"INSERT INTO {table} {columns} VALUES ({marks})", values)

    def touch(self, people: Iterable[int], at: datetime) -> None:
        """Activity is set, backwards or into the future too."""
        self._conn.execute(
            "UPDATE accounts SET last_activity_at = %s WHERE person = ANY (%s)", (at, list(people))
        )

    def move_tenant(self, person: int, tenant: str | None, *, parts: Iterable[str]) -> None:
        """The account, its transactions or their faces say another tenant from now on."""
        mine = "(SELECT id FROM accounts WHERE person = %(person)s)"
        statements = {
            "account": "UPDATE accounts SET tenant_id = %(tenant)s WHERE person = %(person)s",
            "transactions": "UPDATE transactions SET tenant_id = %(tenant)s "
            f"WHERE account_id = {mine}",
            "faces": "UPDATE face SET tenant_id = %(tenant)s WHERE transaction_id IN "
            f"(SELECT id FROM transactions WHERE account_id = {mine})",
        }
        for part in parts:
            self._conn.execute(statements[part], {"person": person, "tenant": tenant})

    def rename(self, person: int, table: str) -> None:
        """The account, or its first transaction, gets another id; the keys onto it follow."""
        if table == "accounts":
            self._conn.execute(
                "UPDATE accounts SET id = %s WHERE person = %s", (self._name("Acc"), person)
            )
        else:
            self._conn.execute(
                "UPDATE transactions SET id = %s WHERE number = (SELECT min(t.number) "
                "FROM transactions t JOIN accounts a ON a.id = t.account_id WHERE a.person = %s)",
                (self._name("Txn"), person),
            )

    def merge(self, person: int, into: int) -> None:
        """All of one account's transactions are another's from now on."""
        self._conn.execute(
            "UPDATE transactions SET account_id = (SELECT id FROM accounts WHERE person = %s) "
            "WHERE account_id = (SELECT id FROM accounts WHERE person = %s)",
            (into, person),
        )

    def mend(self) -> None:
        """Somebody puts right what the worker reported: tenants agree, nothing is frozen."""
        self._conn.execute("UPDATE transactions SET frozen = false WHERE frozen")
        self._conn.execute(
            "UPDATE transactions t SET tenant_id = a.tenant_id FROM accounts a "
            "WHERE a.id = t.account_id AND t.tenant_id IS DISTINCT FROM a.tenant_id"
        )
        self._conn.execute(
            "UPDATE face f SET tenant_id = t.tenant_id FROM transactions t "
            "WHERE t.id = f.transaction_id AND f.tenant_id IS DISTINCT FROM t.tenant_id"
        )

    def _name(self, stem: str) -> str:
        self._names += 1
        return f"{stem}-{self._names}"
