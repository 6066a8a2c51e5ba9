"""JSON paths that are taken out of a json or jsonb column.

A place in an array is set to null instead: taking it out would move what is behind it into its
place, so that another run would take that out too.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.sql import SQL, Composable

from retention_worker.store.catalog import Column
from retention_worker.store.quoting import listed, literal, type_of

JSON_TYPES = {"json", "jsonb"}

# A json column keeps the text that came in, even one that PostgreSQL cannot take apart: a NUL or
# half a pair of surrogates. What is no half (an escaped backslash, a whole pair) goes first.
_WHOLE = r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_UNREADABLE = r"\\u(0000|[dD][89a-fA-F])"

Path = Sequence[str | int]


def still_has(info: Column, current: Composable, paths: Sequence[Path]) -> Composable:
    """Whether anything is at one of the paths; TRUE too where the text cannot be read.

    So one row that cannot be read fails where its own account is erased, and not in a statement
    that looks at many.
    """
    found = listed([_has(_jsonb(current), path) for path in paths], " OR ")
    if info.type_name != "json":
        return found
    return SQL("CASE WHEN {} THEN TRUE ELSE {} END").format(_unreadable(current), found)


def taken_out(info: Column, current: Composable, paths: Sequence[Path]) -> Composable:
    """The column's new value. Each path is left alone where it is not there: `#-` would refuse."""
    whole = _jsonb(current)
    value = whole
    for path in paths:
        here, literal, nowhere = _has(whole, path), _text_array(path), _text_array(())
        gone = here
        if _may_be_place(path):
            in_array = _in_array(whole, path)
            gone = SQL("{} AND NOT {}").format(here, in_array)
            value = SQL(
                "jsonb_set({}, CASE WHEN {} AND {} THEN {} ELSE {} END, 'null', FALSE)"
            ).format(value, here, in_array, literal, nowhere)
        value = SQL("{} #- CASE WHEN {} THEN {} ELSE {} END").format(value, gone, literal, nowhere)
    # A column without any of them keeps its very text, and a scalar, of which `#-` refuses even the
    # path that is nowhere, has none.
    return SQL("CASE WHEN {} THEN ({})::{} ELSE {} END").format(
        still_has(info, current, paths), value, type_of(info), current
    )


def _jsonb(current: Composable) -> Composable:
    return SQL("{}::jsonb").format(current)


def _has(whole: Composable, path: Path) -> Composable:
    if not _may_be_place(path):
        return SQL("{} #> {} IS NOT NULL").format(whole, _text_array(path))
    return SQL(
        "({whole} #> {path} IS NOT NULL AND NOT ({array} AND {whole} #> {path} = 'null'))"
    ).format(whole=whole, path=_text_array(path), array=_in_array(whole, path))


def _in_array(whole: Composable, path: Path) -> Composable:
    return SQL("COALESCE(jsonb_typeof({} #> {}) = 'array', FALSE)").format(
        whole, _text_array(path[:-1])
    )


def _may_be_place(path: Path) -> bool:
    """Whether the last step may be a place in an array; a key may look the same."""
    return str(path[-1]).removeprefix("-").isdecimal()


def _unreadable(current: Composable) -> Composable:
    return SQL("regexp_replace({}::text, {}, ' ', 'g') ~ {}").format(
        current, literal(_WHOLE), literal(_UNREADABLE)
    )


def _text_array(path: Path) -> Composable:
    return SQL("{}::text[]").format(literal([str(item) for item in path]))
