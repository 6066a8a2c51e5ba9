"""What the map's statements need of each table: columns read, columns blanked, rows deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.datamap.credential import Credential, SetAndRemove
from retention_worker.domain.datamap.datamap import ACCOUNT, DataMap, Link
from retention_worker.store.catalog import Catalog
from retention_worker.store.examine import Need, Privilege


@dataclass(kw_only=True)
class TableNeeds:
    """Of one table; the columns in the order in which the map names them.

    `lock`: its rows are locked FOR UPDATE.
    """

    table: TableName
    read: dict[str, None] = field(default_factory=dict)
    write: dict[str, None] = field(default_factory=dict)
    delete: bool = False
    lock: bool = False

    def reads(self, *columns: str | None) -> None:
        """Add columns; None is none."""
        self.read.update(dict.fromkeys(column for column in columns if column is not None))


def parent_table(datamap: DataMap, name: str) -> TableName:
    """The table of account, transaction or a link."""
    if name == ACCOUNT:
        return datamap.accounts.table
    if name in datamap.links:
        return datamap.links[name].table
    assert datamap.transactions is not None
    return datamap.transactions.table


def named_columns(datamap: DataMap) -> tuple[TableNeeds, ...]:
    """Every column that the map names, by table, without a look at the catalog."""
    found: dict[TableName, TableNeeds] = {}

    def of(name: TableName) -> TableNeeds:
        return found.setdefault(name, TableNeeds(table=name))

    accounts = datamap.accounts
    of(accounts.table).lock = True
    of(accounts.table).reads(
        *accounts.id, accounts.tenant, *(time.column for time in accounts.last_activity)
    )
    for source in accounts.activity:
        of(source.table).reads(*source.key, source.at.column, source.tenant)
    if datamap.transactions is not None:
        _transactions(datamap, of(datamap.transactions.table))
        parent = datamap.transactions.parent_key or ()
        of(accounts.table).reads(*parent)
    children: tuple[Credential | Link, ...] = (*datamap.links.values(), *datamap.credentials)
    for child in children:
        of(child.table).reads(*child.key, child.tenant)
        of(parent_table(datamap, child.of)).reads(*datamap.parent_key(child))
        if isinstance(child, Link):
            of(child.table).reads(*child.id, *(child.where or ()))
        else:
            _credential(child, of(child.table))
    for part in datamap.retained:
        # A table of which a part goes is looked through for rows that nobody claims.
        if part.table in found:
            of(part.table).reads(*(part.where or ()))
    return tuple(found.values())


def _transactions(datamap: DataMap, needs: TableNeeds) -> None:
    found = datamap.transactions
    assert found is not None
    needs.reads(*found.id, *found.account, found.tenant, *(found.where or ()))
    needs.reads(found.created_at.column if found.created_at else None)
    # What the API and the portal show after an erasure.
    needs.reads(*found.metadata, *found.decision, found.state.column if found.state else None)


def _credential(entry: Credential, needs: TableNeeds) -> None:
    needs.reads(entry.created_at.column if entry.created_at else None, *(entry.where or ()))
    needs.reads(*(source.column for source in entry.objects))
    if isinstance(entry.erase, SetAndRemove):
        # Read too: only rows that differ are touched.
        needs.reads(*entry.erase.columns)
        needs.write.update(dict.fromkeys(entry.erase.columns))
    else:
        needs.delete = True


def needs(datamap: DataMap, catalog: Catalog) -> tuple[TableNeeds, ...]:
    """As `named_columns`, with the primary keys that blanking and holds read."""
    found = named_columns(datamap)
    by_table = {each.table: each for each in found}
    for entry in datamap.credentials:
        table = catalog.tables.get(entry.table)
        if table is None:
            continue
        by_table[entry.table].reads(*(table.primary_key or ()), *(table.own_key(entry.key) or ()))
    return found


def names_row(value: object) -> bool:
    """Whether a blank has the row's primary key in it."""
    return isinstance(value, str) and "{id}" in value


def privileges(found: Iterable[TableNeeds]) -> Iterator[Need]:
    """Each privilege that the tables need, one by one, as the database is asked for them."""
    for each in found:
        yield Need(table=each.table, privilege=Privilege.USAGE)
        for column in each.read:
            yield Need(table=each.table, privilege=Privilege.SELECT, column=column)
        for column in each.write:
            yield Need(table=each.table, privilege=Privilege.UPDATE, column=column)
        if each.delete:
            yield Need(table=each.table, privilege=Privilege.DELETE)
        if each.lock:
            yield Need(table=each.table, privilege=Privilege.LOCK)
