"""The joins from locked accounts down to the rows of an entry, as they are at that moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.datamap.columns import TableName, Where
from retention_worker.domain.datamap.credential import Credential
from retention_worker.domain.datamap.datamap import (
    ACCOUNT,
    TRANSACTION,
    DataMap,
    Link,
    disjoint,
    same_data,
)
from retention_worker.store.catalog import BUILT_IN, Catalog, Table
from retention_worker.store.mapsql.fragments import KeyOf, equal, key_of, same_key
from retention_worker.store.mapsql.tenants import value_of
from retention_worker.store.quoting import all_of, column, listed, literal, table, type_of


@dataclass(frozen=True, kw_only=True)
class Hop:
    """A table on the way, what it is called here, its key columns, and that of its tenant."""

    alias: LiteralString
    name: TableName
    id: tuple[str, ...]
    tenant: str | None = None


@dataclass(frozen=True, kw_only=True)
class Path:
    """The tables between `k` (keys of accounts) and `c` (the rows that are wanted).

    `top` is the hop directly under the accounts, by whose key a large account is taken in parts;
    None where the entry hangs on the account itself. `astray`, of a path by keys alone: that a
    table on the way says another tenant than the account's, or none; one condition a table.
    `shared`: that `c` is a row of another account, too; None where it cannot be. `own_key` is
    the rows' primary key where there may be several ways to one.
    """

    hops: tuple[Hop, ...]
    conditions: tuple[Composable, ...]
    target: TableName
    top: Hop | None
    astray: tuple[Composable, ...] = ()
    shared: Composable | None = None
    own_key: tuple[str, ...] = ()

    def others(self) -> list[Composable]:
        """The FROM or USING items beside `c` and `k`."""
        return [
            SQL("{} AS {}").format(table(hop.name), SQL(hop.alias))
            for hop in self.hops
            if hop.alias != "c"
        ]

    def counted(self) -> Composable:
        """How many rows there are, each counted once."""
        if not self.own_key:
            return SQL("count(*)")
        return SQL("count(DISTINCT ({}))").format(
            listed([column("c", name) for name in self.own_key])
        )

    def exists(self, *extra: Composable) -> Composed:
        """Whether a row is there for the `k` of the query around it."""
        return SQL("EXISTS (SELECT 1 FROM {} WHERE {})").format(
            listed([*self.others(), SQL("{} AS c").format(table(self.target))]),
            all_of([*self.conditions, *extra]),
        )


def account_keys(accounts: Table, id_columns: tuple[str, ...]) -> Composed:
    """`k`: the accounts' ids as text and, cast to their own types, k0, k1, ..."""
    arrays = [
        SQL("%({})s::text[]::{}").format(
            SQL(f"k{index}"),
            type_of(accounts.column(name), array=True),
        )
        for index, name in enumerate(id_columns)
    ]
    names = [SQL(f"k{index}") for index in range(len(id_columns))]
    return SQL("unnest(%(ids)s::text[], {}) AS k (id, {})").format(listed(arrays), listed(names))


def given_key(accounts: Table, id_columns: Sequence[str]) -> KeyOf:
    """The ids of `k`, k0, k1, ..."""
    return KeyOf(
        values=tuple(SQL(f"k.k{index}") for index in range(len(id_columns))),
        columns=tuple(accounts.column(name) for name in id_columns),
    )


def key_parameters(info: Table, key: Sequence[str], name: str) -> list[Composable]:
    """A text-array parameter's elements, each cast to the type of its key column."""
    return [
        SQL("(%({})s::text[])[{}]::{}").format(
            SQL(name),
            SQL(str(index + 1)),
            type_of(info.column(column_name)),
        )
        for index, column_name in enumerate(key)
    ]


def tenant_condition(catalog: Catalog, name: TableName, alias: str, tenant: str) -> Composable:
    """The tenant's own value in a table that has the column."""
    info = catalog.table(name).column(tenant)
    value = value_of(info, SQL("%(tenant)s::text"))
    return equal(column(alias, tenant), value, info.operators)


def path_to(
    datamap: DataMap, catalog: Catalog, entry: Credential, *, by_keys: bool = False
) -> Path:
    """The path to an entry's rows, `where` included; a row of two accounts is on the path of none.

    `by_keys`: whatever the tenant columns on the way say, as long as a row's key leads here and to
    nobody else; a row of two accounts is on it, and `shared` says which those are.

    Where the entry's table is its parent's own (columns blanked on the transactions), the parent's
    row is the target, so that it is the row that the statement locks.
    """
    found = _path_of(datamap, catalog, entry, by_keys=by_keys)
    if not _leads_to_one(datamap, catalog, entry):
        found = replace(found, own_key=catalog.table(entry.table).primary_key or ())
    shared = _of_another(datamap, catalog, entry)
    if shared is None:
        return found
    if by_keys:
        return replace(found, shared=shared)
    return replace(found, conditions=(*found.conditions, SQL("NOT {}").format(shared)))


def _of_another(datamap: DataMap, catalog: Catalog, entry: Credential) -> Composable | None:
    """Whether a row `c` of an entry is another account's, too; None where it cannot be.

    By another entry that takes the same rows, or because a key on the way is not unique.
    """
    accounts = datamap.accounts
    info = catalog.table(accounts.table)
    alone = info.stands_alone(accounts.id, accounts.tenant)
    owner = key_of("o", info, accounts.id)
    found: list[Composable] = []
    for other in datamap.credentials:
        if other.table != entry.table or disjoint(other.where, entry.where):
            continue
        if not same_data(other, entry) or not _may_differ(datamap, catalog, entry, other):
            continue
        path = _path_of(datamap, catalog, other, by_keys=alone, owner=owner)
        conditions = [*path.conditions]
        if accounts.tenant is not None and not alone:
            conditions.append(tenant_condition(catalog, accounts.table, "o", accounts.tenant))
        found.append(
            SQL("EXISTS (SELECT 1 FROM {} WHERE {} AND NOT ({}))").format(
                listed([SQL("{} AS o").format(table(accounts.table)), *path.others()]),
                all_of(conditions),
                all_of(same_key(owner, given_key(info, accounts.id))),
            )
        )
    return SQL("({})").format(listed(found, " OR ")) if found else None


def _may_differ(datamap: DataMap, catalog: Catalog, entry: Credential, other: Credential) -> bool:
    """Whether a row may be of one account by an entry, and of a second one by the other."""
    same_way = (other.of, other.key, datamap.parent_key(other)) == (
        entry.of,
        entry.key,
        datamap.parent_key(entry),
    )
    return not same_way or not _leads_to_one(datamap, catalog, entry)


def _leads_to_one(datamap: DataMap, catalog: Catalog, entry: Credential) -> bool:
    """Whether every key on the way up is unique, at least within the tenant."""
    below: Credential | Link = entry
    while True:
        key, tenant = datamap.parent_key(below), datamap.accounts.tenant
        name = datamap.accounts.table
        if below.of != ACCOUNT:
            link = as_link(datamap, below.of)
            name, tenant = link.table, link.tenant
        if not catalog.table(name).proves_unique({*key, *([tenant] if tenant else [])}):
            return False
        if below.of == ACCOUNT:
            return True
        below = link


def _path_of(
    datamap: DataMap,
    catalog: Catalog,
    entry: Credential,
    *,
    by_keys: bool,
    owner: KeyOf | None = None,
) -> Path:
    """From `k`, or from another account `owner`."""
    builder = _PathBuilder(datamap, catalog, by_keys=by_keys, owner=owner)
    names = [*reversed(list(datamap.ancestors(entry.of)))]
    own = is_parent_row(datamap, entry)
    for name in names[:-1] if own else names:
        builder.step(name)
    if own and names:
        builder.hop("c", as_link(datamap, entry.of))
    elif own:
        tenant = datamap.accounts.tenant or entry.tenant
        # The account's own row: its tenant says which account is meant.
        builder.join_own(entry, tenant)
    else:
        builder.join("c", entry.table, entry.key, datamap.parent_key(entry), entry.tenant)
    return builder.path(entry.table, where_conditions(catalog, entry))


def top_path(datamap: DataMap, catalog: Catalog, name: str) -> Path:
    """The path to the rows directly under accounts: transactions, or a link of account."""
    return hop_path(datamap, catalog, name)


def hop_path(datamap: DataMap, catalog: Catalog, name: str, *, by_keys: bool = False) -> Path:
    """The path to the rows of transactions or of a link, called `c`; `by_keys` as in `path_to`."""
    builder = _PathBuilder(datamap, catalog, by_keys=by_keys)
    *above, last = reversed(list(datamap.ancestors(name)))
    for each in above:
        builder.step(each)
    builder.hop("c", as_link(datamap, last))
    return builder.path(builder.hops[-1].name, [])


def where_conditions(catalog: Catalog, entry: Credential) -> list[Composable]:
    """The entry's `where`: which rows of its table belong to it."""
    return are_ones_of(catalog.table(entry.table), "c", entry.where)


def are_ones_of(info: Table, alias: str, where: Where | None) -> list[Composable]:
    """The conditions of a `where`; none where there is none."""
    return [is_one_of(info, alias, name, values) for name, values in (where or {}).items()]


def is_one_of(
    info: Table, alias: str, name: str, values: Sequence[str | int | bool | None]
) -> Composable:
    """Whether a column has one of the values that the map names."""
    found = info.column(name)
    kind = type_of(found)
    given = [value for value in values if value is not None]
    literals = [SQL("{}::{}").format(literal(_text(value)), kind) for value in given]
    options: list[Composable] = []
    if len(literals) == 1:
        options.append(equal(column(alias, name), literals[0], found.operators))
    elif literals:
        any_of = SQL("ANY (ARRAY[{}])").format(listed(literals))
        options.append(equal(column(alias, name), any_of, found.operators))
    if len(given) < len(values):
        options.append(SQL("{} IS NULL").format(column(alias, name)))
    return SQL("({})").format(listed(options, " OR "))


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_link(datamap: DataMap, name: str) -> Link:
    """The transactions, or a link, as a hop."""
    if name == TRANSACTION and datamap.transactions is not None:
        found = datamap.transactions
        # Not validated again: None is no value that a file may hold.
        return Link.model_construct(
            table=found.table,
            id=found.id,
            of=ACCOUNT,
            key=found.account,
            parent_key=found.parent_key,
            tenant=found.tenant,
            where=found.where,
        )
    return datamap.links[name]


def top_name(datamap: DataMap, entry: Credential) -> str | None:
    """What hangs directly under the account on the way to the entry; None: the entry itself."""
    return next(reversed(list(datamap.ancestors(entry.of))), None)


def is_parent_row(datamap: DataMap, entry: Credential) -> bool:
    """Whether the entry is on its parent's own rows, such as columns of the transactions."""
    parent = datamap.accounts.table if entry.of == ACCOUNT else as_link(datamap, entry.of).table
    return entry.table == parent and entry.key == datamap.parent_id(entry.of)


class _PathBuilder:
    """Goes down from `k`, a hop at a time."""

    def __init__(
        self,
        datamap: DataMap,
        catalog: Catalog,
        *,
        by_keys: bool = False,
        owner: KeyOf | None = None,
    ) -> None:
        self._datamap = datamap
        self._catalog = catalog
        self._by_keys = by_keys
        self._astray: list[Composable] = []
        self._info = catalog.table(datamap.accounts.table)
        self._given = owner or given_key(self._info, datamap.accounts.id)
        self.hops: list[Hop] = []
        self.conditions: list[Composable] = []
        self._last: Hop | None = None

    def path(self, target: TableName, extra: list[Composable]) -> Path:
        """What was joined, with the rows' own conditions."""
        return Path(
            hops=tuple(self.hops),
            conditions=(*self.conditions, *extra),
            target=target,
            top=next((hop for hop in self.hops if hop.alias != "a"), None),
            astray=tuple(self._astray),
        )

    def step(self, name: str) -> None:
        """Join transactions or a link under the last hop."""
        self.hop(f"l{len(self.hops)}", as_link(self._datamap, name))

    def hop(self, alias: LiteralString, link: Link) -> None:
        """Join one table under the last hop and stand on it."""
        self.join(alias, link.table, link.key, self._datamap.parent_key(link), link.tenant)
        info = self._catalog.table(link.table)
        self.conditions += are_ones_of(info, alias, link.where)
        self._last = Hop(alias=alias, name=link.table, id=link.id, tenant=link.tenant)
        self.hops.append(self._last)

    def join(
        self,
        alias: LiteralString,
        name: TableName,
        key: tuple[str, ...],
        parent_key: tuple[str, ...],
        tenant: str | None,
    ) -> None:
        """The conditions that tie `alias` to the last hop, or to the accounts."""
        mine = key_of(alias, self._catalog.table(name), key)
        if self._last is not None:
            above = self._catalog.table(self._last.name)
            self.conditions += same_key(mine, key_of(self._last.alias, above, parent_key))
        elif parent_key == self._datamap.accounts.id:
            self.conditions += same_key(mine, self._given)
        else:
            self._through_accounts(mine, parent_key)
        if tenant is not None:
            agrees = tenant_condition(self._catalog, name, alias, tenant)
            if self._by_keys:
                self._take_by_key(mine, column(alias, tenant), parent_key, agrees)
            else:
                self.conditions.append(agrees)

    def join_own(self, entry: Credential, tenant: str | None) -> None:
        """Take the account's own row as `c`."""
        info = self._catalog.table(entry.table)
        self.conditions += same_key(key_of("c", info, entry.key), self._given)
        if tenant is not None:
            self.conditions.append(tenant_condition(self._catalog, entry.table, "c", tenant))

    def _take_by_key(
        self,
        key: KeyOf,
        told: Composable,
        parent_key: tuple[str, ...],
        agrees: Composable,
    ) -> None:
        """Rows of another tenant, or of none, that are nobody else's.

        Where the parent's key is unique by itself nobody else can be. Where it is not, a row whose
        tenant has a parent of that key is that one's.
        """
        self._astray.append(SQL("({}) IS NOT TRUE").format(agrees))
        parent, parent_tenant = self._parent()
        info = self._catalog.table(parent)
        if info.proves_unique(parent_key):
            return
        if parent_tenant is None:
            self.conditions.append(agrees)
            return
        other = same_key(key, key_of("other", info, parent_key))
        other.append(
            equal(
                SQL("{}::text").format(told),
                SQL("{}::text").format(column("other", parent_tenant)),
                BUILT_IN,
            )
        )
        self.conditions.append(
            SQL("({} OR NOT EXISTS (SELECT 1 FROM {} AS other WHERE {}))").format(
                agrees, table(parent), all_of(other)
            )
        )

    def _parent(self) -> tuple[TableName, str | None]:
        """The table above, and the column in which it says its tenant."""
        if self._last is None or self._last.alias == "a":
            return self._datamap.accounts.table, self._datamap.accounts.tenant
        return self._last.name, self._last.tenant

    def _through_accounts(self, mine: KeyOf, parent_key: tuple[str, ...]) -> None:
        accounts = self._datamap.accounts
        self.hops.append(Hop(alias="a", name=accounts.table, id=accounts.id))
        self.conditions += same_key(key_of("a", self._info, accounts.id), self._given)
        self.conditions += same_key(mine, key_of("a", self._info, parent_key))
        if accounts.tenant is not None:
            self.conditions.append(
                tenant_condition(self._catalog, accounts.table, "a", accounts.tenant)
            )
