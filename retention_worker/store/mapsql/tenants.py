"""A tenant's name in a policy file as the value of somebody else's tenant column."""

from __future__ import annotations

from psycopg.sql import SQL, Composable

from retention_worker.store.catalog import Column
from retention_worker.store.mapsql.fragments import constant, type_of

__all__ = ["fits", "value_if_it_fits"]

_BITS = {"int2": 15, "int4": 31, "int8": 63}
_UUID = "^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$"


def fits(info: Column, text: Composable) -> Composable:
    """Whether a text is a value of the column's type, as far as that can be said in advance.

    A statement for all tenants must not fail because one file has no number where the column is
    one; that tenant's own statements fail, and say so.
    """
    if info.type_name in _BITS:
        return SQL(
            "CASE WHEN {text} ~ '^-?[0-9]{{1,30}}$' "
            "THEN {text}::numeric BETWEEN {least} AND {most} ELSE FALSE END"
        ).format(
            text=text,
            least=constant(-(2 ** _BITS[info.type_name])),
            most=constant(2 ** _BITS[info.type_name] - 1),
        )
    if info.type_name == "uuid":
        return SQL("{} ~ {}").format(text, constant(_UUID))
    return SQL("TRUE")


def value_if_it_fits(info: Column, text: Composable) -> Composable:
    """The text in the column's type; NULL where it does not fit."""
    return SQL("CASE WHEN {} THEN {}::{} END").format(fits(info, text), text, type_of(info))
