"""The data map: where accounts, transactions and credentials are in somebody else's database.

The models hold what the file says, checked for what can be known without a database. Everything
that needs the catalog (types, keys, privileges, triggers) is checked elsewhere, against the live
database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from retention_worker.domain.datamap.columns import (
    Columns,
    Identifier,
    Key,
    MapPart,
    TableName,
    TimeColumn,
    TimeColumns,
    Values,
    Where,
    listed,
)
from retention_worker.domain.datamap.credential import Credential, Retained, SetAndRemove
from retention_worker.domain.scope import Scope

ACCOUNT = "account"
TRANSACTION = "transaction"

# Ends the path of a problem that is in a key and not in its value, as in pydantic's own errors.
KEY = "[key]"
# The path in the file, and what is wrong there.
Problem = tuple[tuple[str | int, ...], str]


class MapProblems(ValueError):
    """Parts of the map that do not fit each other; `problems` has the path of each."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        lines = (f"{'.'.join(str(part) for part in path)}: {text}" for path, text in problems)
        super().__init__("; ".join(lines))


class ActivitySource(MapPart):
    """Rows elsewhere that count as activity of the account too (index on key, at)."""

    table: TableName
    key: Key
    at: TimeColumn
    tenant: Identifier | None = None


class Accounts(MapPart):
    """The accounts and their last activity.

    `last_activity` with several columns is the latest of them, in the file's order in GREATEST.
    """

    table: TableName
    id: Key
    tenant: Identifier | None = None
    last_activity: TimeColumns
    activity: Annotated[tuple[ActivitySource, ...], BeforeValidator(listed)] = ()


class TransactionState(MapPart):
    """Which values of a column mean that a transaction is still in progress."""

    column: Identifier
    in_progress: Values


class Link(MapPart):
    """A further hop between accounts and credentials, such as applicant -> check -> document.

    `key` refers to the id (or to `parent_key`) of what `of` names: account, transaction or a link.
    `where`: which rows are hops at all, such as those of a join table for several kinds of parents.
    """

    table: TableName
    id: Key
    of: str
    key: Key
    parent_key: Key | None = None
    tenant: Identifier | None = None
    where: Where | None = None


class Transactions(MapPart):
    """The verifications of an account; `where`: which rows of the table are any."""

    table: TableName
    id: Key
    account: Key
    parent_key: Key | None = None
    tenant: Identifier | None = None
    where: Where | None = None
    created_at: TimeColumn | None = None
    metadata: Columns = ()
    decision: Columns = ()
    state: TransactionState | None = None


class DataMap(MapPart):
    """The whole file, checked for what can be known without the database.

    Raises:
        pydantic.ValidationError: with the path of everything that is wrong; parts that do not fit
            each other come as one `MapProblems` in its context.
    """

    accounts: Accounts
    transactions: Transactions | None = None
    links: dict[str, Link] = Field(default_factory=dict)
    credentials: Annotated[tuple[Credential, ...], BeforeValidator(listed), Field(min_length=1)]
    retained: Annotated[tuple[Retained, ...], BeforeValidator(listed)] = ()
    accepted_triggers: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()

    @model_validator(mode="after")
    def _parts_fit(self) -> DataMap:
        problems = (
            *self._name_problems(),
            *self._hop_problems(),
            *self._kept_problems(),
            *self._claimed_twice(),
            *self._of_the_account_alone(),
        )
        if problems:
            raise MapProblems(problems)
        return self

    def _name_problems(self) -> Iterator[Problem]:
        seen: set[str] = set()
        for index, entry in enumerate(self.credentials):
            if entry.name in seen:
                text = f"{entry.name!r} is the name of an earlier entry: choose another"
                yield ("credentials", index, "name"), text
            seen.add(entry.name)
        for name in self.links.keys() & {ACCOUNT, TRANSACTION}:
            yield ("links", name, KEY), "is a name that has a meaning of its own: choose another"

    def _hop_problems(self) -> Iterator[Problem]:
        """Keys that refer to nothing, to a key of another length, or in a circle."""
        for index, source in enumerate(self.accounts.activity):
            at = ("accounts", "activity", index, "key")
            yield from _length_problem(at, source.key, self.accounts.id)
        if self.transactions:
            parent_key = self.transactions.parent_key or self.accounts.id
            path = ("transactions", "account")
            yield from _length_problem(path, self.transactions.account, parent_key)
        for name, link in self.links.items():
            yield from self._hop_problem(("links", name), link)
            if self._runs_in_circle(name):
                yield ("links", name, "of"), "leads back to itself: name what is nearer the account"
        for index, entry in enumerate(self.credentials):
            yield from self._hop_problem(("credentials", index), entry)

    def _hop_problem(
        self, path: tuple[str | int, ...], child: Credential | Link
    ) -> Iterator[Problem]:
        if child.of not in self.parent_names():
            names = ", ".join(self.parent_names())
            yield (*path, "of"), f"{child.of!r} is not in this map: write one of {names}"
        else:
            yield from _length_problem((*path, "key"), child.key, self.parent_key(child))

    def _runs_in_circle(self, name: str) -> bool:
        seen: set[str] = set()
        hops = self.links.keys() - {ACCOUNT, TRANSACTION}
        while name in hops and name not in seen:
            seen.add(name)
            name = self.links[name].of
        return name in seen

    def _kept_problems(self) -> Iterator[Problem]:
        """Entries that would erase what is promised to stay."""
        kept = self._kept_columns()
        retained = {part.table for part in self.retained if part.where is None}
        for index, entry in enumerate(self.credentials):
            path = ("credentials", index, "erase")
            if isinstance(entry.erase, SetAndRemove):
                for column in entry.erase.columns:
                    if column in kept.get(entry.table, ()):
                        form = "set" if column in entry.erase.set else "remove"
                        text = "is a column that the map needs or promises to keep: take it out"
                        yield (*path, form, column, KEY), text
            elif entry.table in kept:
                text = f"the rows of {entry.table} are kept: write set with the columns to blank"
                yield path, text
            elif entry.table in retained:
                text = f"{entry.table} is under retained too: write which part is, with where"
                yield path, text

    def _claimed_twice(self) -> Iterator[Problem]:
        """Rows that a biometric entry and another one would both erase: only one can be right."""
        for index, entry in enumerate(self.credentials):
            for other in self.credentials[:index]:
                both = entry.table == other.table and not disjoint(entry.where, other.where)
                if both and entry.class_ is not other.class_ and same_data(entry, other):
                    text = (
                        f"{other.name!r} is of another class and claims rows of {entry.table} too: "
                        "write where in both, so that each row is of one"
                    )
                    yield ("credentials", index), text

    def _of_the_account_alone(self) -> Iterator[Problem]:
        """Columns of the transactions that no erasure of one transaction would take."""
        found = self.transactions
        for index, entry in enumerate(self.credentials):
            if found and entry.table == found.table and entry.of == ACCOUNT:
                text = (
                    "an erasure of one transaction would leave its data: write of: transaction "
                    f"and key: {', '.join(found.id)}"
                )
                yield ("credentials", index, "of"), text

    def _kept_columns(self) -> dict[TableName, set[str]]:
        """Of the tables whose rows stay: keys, activity, transaction metadata, the decision."""
        accounts, transactions = self.accounts, self.transactions
        times = {time.column for time in accounts.last_activity}
        kept = {accounts.table: {*accounts.id, *times, *_names(accounts.tenant)}}
        if transactions:
            created = transactions.created_at.column if transactions.created_at else None
            state = transactions.state.column if transactions.state else None
            kept.setdefault(transactions.table, set()).update(
                transactions.id,
                transactions.account,
                transactions.metadata,
                transactions.decision,
                _names(transactions.tenant, created, state),
            )
        return kept

    def parent_names(self) -> tuple[str, ...]:
        """What `of` may say."""
        transaction = (TRANSACTION,) if self.transactions else ()
        return (ACCOUNT, *transaction, *self.links)

    def parent_key(self, child: Credential | Link) -> Key:
        """The columns of the parent that `child.key` refers to."""
        return child.parent_key or self.parent_id(child.of)

    def parent_id(self, name: str) -> Key:
        """The id columns of account, transaction or a link."""
        if name == ACCOUNT:
            return self.accounts.id
        if name == TRANSACTION and self.transactions:
            return self.transactions.id
        return self.links[name].id

    def ancestors(self, name: str) -> Iterator[str]:
        """From a parent name up to, and without, account: `check` -> check, applicant."""
        while name != ACCOUNT:
            yield name
            name = ACCOUNT if name == TRANSACTION else self.links[name].of

    def entries(self, scope: Scope) -> tuple[Credential, ...]:
        """The entries that an erasure of the scope erases, in the file's order."""
        return tuple(entry for entry in self.credentials if scope.covers(entry.class_))

    def digest(self, scope: Scope) -> str:
        """SHA-256 (hex) of what decides which rows the scope erases.

        The names, retained tables and accepted triggers don't count: changing them erases nothing
        else.
        """
        content = self.model_dump(
            mode="json", by_alias=True, include={"accounts", "transactions", "links"}
        )
        # Where nothing is said of it, the digest is what it was before there was anything to say.
        for hop in (content["transactions"] or {}, *content["links"].values()):
            if hop.get("where") is None:
                hop.pop("where", None)
        content["credentials"] = [
            entry.model_dump(mode="json", by_alias=True, exclude={"name"})
            for entry in self.entries(scope)
        ]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def disjoint(where: Where | None, other: Where | None) -> bool:
    """Whether no row can fit both."""
    if where is None or other is None:
        return False
    return any(not set(where[name]) & set(other[name]) for name in where.keys() & other.keys())


def same_data(entry: Credential, other: Credential) -> bool:
    """Whether one takes what the other does: rows take everything, blanks their columns."""
    if not isinstance(entry.erase, SetAndRemove) or not isinstance(other.erase, SetAndRemove):
        return True
    return bool(set(entry.erase.columns) & set(other.erase.columns))


def _length_problem(path: tuple[str | int, ...], key: Key, parent_key: Key) -> Iterator[Problem]:
    if len(key) != len(parent_key):
        wanted = ", ".join(parent_key)
        yield path, f"has {len(key)} of {len(parent_key)} columns: write one for each of {wanted}"


def _names(*columns: str | None) -> set[str]:
    return {column for column in columns if column}
