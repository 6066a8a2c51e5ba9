"""The triggers that refuse biometrics of a transaction whose biometrics were erased, as a script.

One function and one trigger for each biometric entry of transactions, also where links lie between.
They are the application's: they run within its statements, as the function's owner.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from psycopg.sql import SQL, Composable

from retention_worker.domain.datamap.columns import Where
from retention_worker.domain.datamap.credential import Credential, SetAndRemove
from retention_worker.domain.datamap.datamap import (
    ACCOUNT,
    TRANSACTION,
    DataMap,
    Link,
    Transactions,
)
from retention_worker.domain.scope import CredentialClass
from retention_worker.store.catalog import Catalog
from retention_worker.store.connection.session import Session
from retention_worker.store.quoting import all_of, column, identifier, listed, literal, table
from retention_worker.store.verify.ancestors import Ancestor, climb
from retention_worker.store.verify.content import belongs, holds
from retention_worker.store.verify.instants import instant
from retention_worker.store.verify.keys import id_text

# A class of our own: the standard leaves those that begin with I to Z to implementations.
SQLSTATE = "RW001"
# After the application's own BEFORE triggers, which fire in the order of their names: what they
# put into the row is judged too.
_TRIGGER = "zz_no_recreation"
_FUNCTION = "no_recreation_of"
_MARK = "retention-worker: no recreation of"
_PLAIN_NAME = re.compile(r"[a-z0-9]+( [a-z0-9]+)*")
_LONGEST_PART = 30
_DIGEST = 8

_BODY = """
DECLARE
    erased boolean;
BEGIN
{unchanged}    -- Waits for an erasure of the account that is under way, and keeps the next away.
    PERFORM 1 FROM {sources}
      WHERE {conditions}
        FOR KEY SHARE OF {account};
    BEGIN
        -- A statement of its own: it sees what was committed while the first one waited.
        SELECT bool_or({stones})
          INTO erased
          FROM {sources}
         WHERE {conditions};
    EXCEPTION
        WHEN undefined_table OR invalid_schema_name THEN
            RETURN NEW; -- the worker's own schema is not there yet
        WHEN insufficient_privilege THEN
            RAISE WARNING 'the owner of trigger %% on %% may not read what was erased, so that '
                'nothing is refused: run retention-worker doctor', TG_NAME, TG_TABLE_NAME;
            RETURN NEW;
    END;
{followed}    IF erased THEN
        RAISE EXCEPTION USING ERRCODE = {sqlstate}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
            MESSAGE = 'the biometrics of this transaction were erased and are not created again',
            HINT = 'Begin a new transaction.';
    END IF;
    RETURN NEW;
END
"""

_FOLLOWED = """\
    IF erased IS NOT TRUE THEN
        BEGIN
            SELECT bool_or(EXISTS (
                SELECT 1 FROM {transactions} AS n JOIN {erasure} AS e ON e.batch_id = n.batch_id
                 WHERE n.transaction_id = {transaction}))
              INTO erased
              FROM {sources}
             WHERE {conditions};
        EXCEPTION
            WHEN undefined_table OR insufficient_privilege THEN
                NULL;
        END;
    END IF;
"""

_SCRIPT = """\
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {tag}{body}{tag};
COMMENT ON FUNCTION {function}() IS {comment};
DROP TRIGGER IF EXISTS {trigger} ON {table};
CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table}
    FOR EACH ROW{when} EXECUTE FUNCTION {function}();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger};
"""


@dataclass(frozen=True, kw_only=True)
class Guard:
    """An entry's trigger; `body` is its function's, `comment` tells this definition from others.

    `sql` creates or renews it.
    """

    entry: Credential
    trigger: str
    body: str
    comment: str
    sql: str


@dataclass(frozen=True, kw_only=True)
class TriggerState:
    """A trigger of ours as the database has it.

    `in_force`: it fires, on replicas and while data is loaded too, as its owner. `can_read`: the
    owner may read what was erased.
    """

    trigger: str
    body: str
    comment: str
    owner: str
    in_force: bool
    can_read: bool


def guards(datamap: DataMap, catalog: Catalog, schema_name: str) -> tuple[Guard, ...]:
    """The guards of every biometric entry that belongs to transactions.

    Raises:
        DriftError: the map does not fit the catalog.
    """
    return tuple(
        _TriggerBuilder(datamap, catalog, entry, schema_name).guard()
        for entry in datamap.credentials
        if entry.class_ is CredentialClass.BIOMETRIC and TRANSACTION in datamap.ancestors(entry.of)
    )


def recreation_sql(datamap: DataMap, catalog: Catalog, schema_name: str) -> str:
    """The script that creates or renews all guards; empty where there is nothing to guard.

    Who runs it owns the functions. It may run before the worker's own schema exists: until then,
    and as long as the owner may not read it, nothing is refused.
    """
    return "\n".join(each.sql for each in guards(datamap, catalog, schema_name))


def state(session: Session, catalog: Catalog, entry: Credential) -> tuple[TriggerState, ...]:
    """The guards on an entry's table as they are."""
    rows = session.rows(
        "recreation.state",
        {
            "table": catalog.table(entry.table).oid,
            "mark": f"{_MARK} ",
            "own_schema": session.schema_name,
        },
    )
    return tuple(TriggerState(**row) for row in rows)


class _TriggerBuilder:
    def __init__(
        self, datamap: DataMap, catalog: Catalog, entry: Credential, schema_name: str
    ) -> None:
        self._datamap = datamap
        self._catalog = catalog
        self._entry = entry
        self._info = catalog.table(entry.table)
        self._erasure = identifier(schema_name, "erasure")
        self._transactions = identifier(schema_name, "erased_transaction")
        self._above = climb(datamap, catalog, _above_own_row(datamap, entry), "NEW", by_keys=True)

    def guard(self) -> Guard:
        entry = self._entry
        name = _name(entry.name)
        body, when = self._body(), self._when()
        said = f"{entry.table}\n{_text(when)}\n{_text(body)}"
        digest = hashlib.sha256(said.encode()).hexdigest()[:_DIGEST]
        comment = f"{_MARK} {entry.name}, {digest}"
        trigger = f"{_TRIGGER}_{name}"
        script = SQL(_SCRIPT).format(
            function=identifier(entry.table.schema_name, f"{_FUNCTION}_{name}"),
            tag=SQL(_tag(_text(body))),
            body=body,
            comment=literal(comment),
            trigger=identifier(trigger),
            table=table(entry.table),
            when=when,
        )
        return Guard(
            entry=entry, trigger=trigger, body=_text(body), comment=comment, sql=_text(script)
        )

    def _when(self) -> Composable:
        """Which rows are of the entry and hold anything: what blanks them is never refused."""
        parts = [
            belongs(self._info, where, "NEW")
            for where in (self._entry.where, self._own_where())
            if where is not None
        ]
        if isinstance(self._entry.erase, SetAndRemove):
            parts.append(holds(self._info, self._entry, "NEW"))
        return SQL("\n    WHEN ({})").format(all_of(parts)) if parts else SQL("")

    def _own_where(self) -> Where | None:
        """Which rows of its parent's own table are any, where the entry is on those."""
        parent = self._datamap.links.get(self._entry.of) or self._datamap.transactions
        own = _above_own_row(self._datamap, self._entry) is not self._entry
        return parent.where if own and parent is not None else None

    def _body(self) -> Composable:
        return SQL(_BODY).format(
            unchanged=self._unchanged(),
            sources=self._above.sources(),
            conditions=self._above.conditions(),
            account=SQL(self._above.account.alias),
            stones=self._stones(),
            followed=self._followed(),
            sqlstate=literal(SQLSTATE),
        )

    def _unchanged(self) -> Composable:
        """Of a row that stays, other columns may change whatever this one still holds."""
        erase = self._entry.erase
        if not isinstance(erase, SetAndRemove):
            return SQL("")
        names = dict.fromkeys((*erase.columns, *self._entry.key))
        sides = [listed(column(alias, name) for name in names) for alias in ("NEW", "OLD")]
        # As whole rows: `*=` compares their images, so that no column's type needs an equality.
        return SQL(
            "    IF TG_OP = 'UPDATE' THEN\n"
            "        IF (SELECT n FROM (SELECT {}) AS n)\n"
            "           *= (SELECT o FROM (SELECT {}) AS o) THEN\n"
            "            RETURN NEW;\n        END IF;\n    END IF;\n"
        ).format(*sides)

    def _stones(self) -> Composable:
        """Whether the transaction was erased, or its account after the transaction had begun."""
        found = self._datamap.transactions
        assert found is not None
        alias = self._above.transaction.alias if self._above.transaction else "NEW"
        account = self._above.account
        parts = [self._stone(found, "transaction", id_text(alias, found.id))]
        if found.created_at is not None:
            info = self._catalog.table(found.table)
            began = instant(info, (found.created_at,), alias)
            stone = self._stone(account, "account", id_text(account.alias, account.id), end="")
            parts.append(SQL("{}\n               AND e.erased_at >= {})").format(stone, began))
        return listed(parts, "\n            OR ")

    def _followed(self) -> Composable:
        """Whether the transaction was erased with its account, whosever it is by now.

        Apart from the rest, which counts for an owner who may not read this, too.
        """
        found = self._datamap.transactions
        assert found is not None
        if not self._catalog.table(found.table).proves_unique(found.id):
            return SQL("")
        alias = self._above.transaction.alias if self._above.transaction else "NEW"
        return SQL(_FOLLOWED).format(
            transactions=self._transactions,
            erasure=self._erasure,
            transaction=id_text(alias, found.id),
            sources=self._above.sources(),
            conditions=self._above.conditions(),
        )

    def _stone(
        self, named: Ancestor | Transactions, kind: str, subject: Composable, end: str = ")"
    ) -> Composable:
        return SQL(
            "EXISTS (\n            SELECT 1 FROM {} AS e\n"
            "             WHERE e.subject_id = {} AND e.kind = {}{}\n"
            "               AND e.complete{}"
        ).format(self._erasure, subject, literal(kind), self._of_tenant(named), SQL(end))

    def _of_tenant(self, named: Ancestor | Transactions) -> Composable:
        """Whose erasures count: any tenant's where the id alone tells the row from all others.

        What was erased of a person stays erased when the person moves to another tenant. Where the
        map names no tenant column, erasures of whatever tenant_id are of the one tenant there is.
        """
        account = self._above.account
        if account.tenant is None or self._catalog.table(named.table).proves_unique(named.id):
            return SQL("")
        return SQL(" AND e.tenant_id = {}::text").format(column(account.alias, account.tenant))


def _above_own_row(datamap: DataMap, entry: Credential) -> Credential:
    """The entry, seen from its parent's parent where it is columns of the parent's own row.

    Of a row that is being inserted there is nothing to join yet.
    """
    parent: Link | None = datamap.links.get(entry.of)
    found = datamap.transactions
    if entry.of == TRANSACTION and found is not None:
        own, of, key, parent_key = found.table, ACCOUNT, found.account, found.parent_key
        tenant = found.tenant
    elif parent is not None:
        own, of, key, parent_key = parent.table, parent.of, parent.key, parent.parent_key
        tenant = parent.tenant
    else:
        return entry
    if own != entry.table or entry.key != datamap.parent_id(entry.of):
        return entry
    changes = {"of": of, "key": key, "parent_key": parent_key, "tenant": entry.tenant or tenant}
    return entry.model_copy(update=changes)


def _name(entry_name: str) -> str:
    """The entry's name as a part of SQL names, and no other entry's."""
    plain = entry_name.replace(" ", "_")
    if _PLAIN_NAME.fullmatch(entry_name) and len(plain) <= _LONGEST_PART:
        return plain
    digest = hashlib.sha256(entry_name.encode()).hexdigest()[:_DIGEST]
    return f"{re.sub(r'[^a-z0-9]+', '_', entry_name.lower())[:_LONGEST_PART].strip('_')}_{digest}"


def _tag(body: str) -> str:
    """A dollar quote that does not occur in the body."""
    tag = "$guard$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    return tag


def _text(composed: Composable) -> str:
    """As it is run without parameters."""
    return composed.as_string(None).replace("%%", "%")
