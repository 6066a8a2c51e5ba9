"""A tenant's name in a policy file as the value of somebody else's tenant column."""

from __future__ import annotations

from psycopg.sql import SQL, Composable

from retention_worker.store.catalog import Column
from retention_worker.store.quoting import literal, type_of

_BITS = {"int2": 15, "int4": 31, "int8": 63}
_UUID = "^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$"


def value_of(info: Column, text: Composable) -> Composable:
    """The text in the column's type; NULL, which equals nothing, where it is no such value.

    One file with a name where the column has numbers must not fail a statement that is for all
    tenants; it matches no account, as any other name that the database does not know.
    """
    value = SQL("{}::{}").format(text, type_of(info))
    if info.type_name in _BITS:
        limit = 2 ** _BITS[info.type_name]
        return SQL(
            "CASE WHEN {text} ~ '^-?[0-9]{{1,30}}$' THEN "
            "CASE WHEN {text}::numeric BETWEEN {least} AND {most} THEN {value} END END"
        ).format(text=text, least=literal(-limit), most=literal(limit - 1), value=value)
    if info.type_name == "uuid":
        return SQL("CASE WHEN {} ~ {} THEN {} END").format(text, literal(_UUID), value)
    return value
