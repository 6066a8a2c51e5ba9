"""The data map: its short forms, what its parts must fit, and what its digest covers."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from retention_worker.domain.datamap.columns import TableName, TimeColumn, TimeUnit
from retention_worker.domain.datamap.credential import Credential, ObjectSource, SetAndRemove
from retention_worker.domain.datamap.datamap import DataMap, MapProblems
from retention_worker.domain.scope import Scope

CONTENT: dict[str, Any] = {
    "accounts": {
        "table": "public.accounts",
        "id": "id",
        "tenant": "tenant_id",
        "last_activity": "last_activity_at",
    },
    "transactions": {
        "table": "public.transactions",
        "id": "id",
        "account": "account_id",
        "created_at": "created_at",
        "metadata": ["country"],
        "decision": ["decision"],
        "state": {"column": "status", "in_progress": ["PENDING"]},
    },
    "links": {
        "applicants": {
            "table": "public.applicants",
            "id": "id",
            "of": "account",
            "key": "account_id",
        },
        "checks": {
            "table": "public.checks",
            "id": "id",
            "of": "applicants",
            "key": "applicant_id",
        },
    },
    "credentials": [
        {
            "name": "templates",
            "table": "public.templates",
            "class": "biometric",
            "of": "transaction",
            "key": "transaction_id",
            "erase": "rows",
        },
        {
            "name": "documents",
            "table": "public.documents",
            "class": "other",
            "of": "checks",
            "key": "check_id",
            "erase": "rows",
        },
    ],
}


def _changed(**values: Any) -> dict[str, Any]:
    """The content with values at paths, such as `accounts__id="uid"`; `...` takes a key out."""
    content = deepcopy(CONTENT)
    for path, value in values.items():
        *parents, last = path.split("__")
        place: Any = content
        for part in parents:
            place = place[int(part) if part.isdigit() else part]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return content


def _datamap(**values: Any) -> DataMap:
    return DataMap.model_validate(_changed(**values))


def _problems(**values: Any) -> dict[str, str]:
    """What is wrong by dotted path, of parts that don't fit each other."""
    with pytest.raises(ValidationError) as caught:
        _datamap(**values)
    [error] = caught.value.errors()
    cause = error["ctx"]["error"]
    assert isinstance(cause, MapProblems)
    return {".".join(str(part) for part in path): text for path, text in cause.problems}


def _entry(**values: Any) -> Credential:
    return _datamap(
        **{f"credentials__0__{key}": value for key, value in values.items()}
    ).credentials[0]


def test_short_and_long_forms_mean_the_same() -> None:
    """One value and a list of one, a name and a mapping with the name: the same map."""
    long = _datamap(
        accounts__table=["public", "accounts"],
        accounts__id=["id"],
        accounts__last_activity=[{"column": "last_activity_at"}],
        transactions__state={"column": "status", "in_progress": "PENDING"},
    )
    assert long == _datamap()
    assert long.digest(Scope.ALL) == _datamap().digest(Scope.ALL)


def test_tables_split_at_the_dot() -> None:
    """A name with a dot is written as a list; without a schema it is refused, not guessed."""
    assert TableName.model_validate(["my.schema", "T"]).schema_name == "my.schema"
    assert str(TableName.model_validate("Public.Accounts")) == "Public.Accounts"
    for wrong in ("accounts", "a.b.c", ".b", "a.", ["a"], ["a", 1], 1, None, {"name": "a"}):
        with pytest.raises(ValidationError, match=r"write schema\.table"):
            TableName.model_validate(wrong)


def test_names_are_bounded_by_bytes() -> None:
    """PostgreSQL would cut a longer name silently, and then it is another column."""
    assert _datamap(accounts__id="x" * 63).accounts.id == ("x" * 63,)
    for wrong in ("x" * 64, "\u00e9" * 32, "", "a\x00b"):
        with pytest.raises(ValidationError, match="is no name"):
            _datamap(accounts__id=wrong)


def test_time_columns() -> None:
    """Epoch numbers have a unit, local times a zone of the IANA database, nothing has both."""
    epoch = TimeColumn.model_validate({"column": "ts", "unit": "ms"})
    assert epoch.unit is TimeUnit.MILLISECONDS
    assert [unit.per_second for unit in TimeUnit] == [1, 1_000, 1_000_000]
    local = TimeColumn.model_validate({"column": "at", "time_zone": "Europe/Berlin"})
    assert local.time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit": "h"},
        {"unit": None},
        {"unit": ["s"]},
        {"time_zone": "Berlin"},
        {"time_zone": "../etc/passwd"},
        {"time_zone": 1},
        {"unit": "s", "time_zone": "UTC"},
    ],
)
def test_wrong_time_columns(wrong: dict[str, Any]) -> None:
    """An unknown unit or zone is refused, with what to write."""
    with pytest.raises(ValidationError, match="write"):
        TimeColumn.model_validate({"column": "ts", **wrong})


def test_where_keeps_types() -> None:
    """1, true and "1" are three values; a float is equal to what is stored by luck alone."""
    wanted = _entry(where={"kind": ["1", 1, True, None], "part": "A"}).where
    assert wanted is not None
    assert [type(value) for value in wanted["kind"]] == [str, int, bool, type(None)]
    assert wanted["part"] == ("A",)


@pytest.mark.parametrize(
    "wrong", [{}, [], "kind", {"kind": 1.5}, {"kind": []}, {"kind": [[1]]}, {"kind": {"a": 1}}]
)
def test_wrong_conditions(wrong: Any) -> None:
    """No condition that would match everything, nothing or by luck."""
    with pytest.raises(ValidationError, match=r"is no condition|is no value|at least 1 item"):
        _entry(where=wrong)


def test_erase_forms() -> None:
    """Rows go, or columns are blanked and JSON paths taken out; never nothing, never both."""
    assert _entry().erase == "rows"
    blank = {"set": {"a": None, "b": {}, "c": [], "d": 0}, "remove": {"e": [["x", 0], ["y"]]}}
    erase = _entry(erase=blank).erase
    assert isinstance(erase, SetAndRemove)
    assert erase.set == {"a": None, "b": {}, "c": [], "d": 0}
    assert erase.remove == {"e": (("x", 0), ("y",))}
    assert erase.columns == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    "wrong",
    [
        "row",
        None,
        {},
        {"set": {}},
        {"set": {"a": 1}, "remove": {"a": [["x"]]}},
        {"remove": {"a": "x"}},
        {"remove": {"a": []}},
        {"remove": {"a": [[]]}},
        {"remove": {"a": [[True]]}},
    ],
)
def test_wrong_erasures(wrong: Any) -> None:
    """An entry that erases nothing, or one column twice, is refused with what to write."""
    with pytest.raises(ValidationError, match=r"write|keep one"):
        _entry(erase=wrong)


def test_objects() -> None:
    """A column, a template with the column's value in it, or several of them."""
    assert _entry(objects={"column": "uri"}).objects == (ObjectSource(column="uri"),)
    template = {"column": "file", "uri": "s3://kyc/{tenant}/{id}/{value}", "shared": True}
    assert _entry(objects=[{"column": "uri"}, template]).objects[1].shared
    for uri in ("s3://kyc/{tenant}", "s3://{bucket}/{value}", "s3://{value}/{", "}{value}"):
        with pytest.raises(ValidationError, match="is no template"):
            _entry(objects={"column": "file", "uri": uri})
    with pytest.raises(ValidationError, match="write something between its fields"):
        _entry(objects={"column": "file", "uri": "s3://kyc/{tenant}{id}{value}"})


def test_parents_and_ancestors() -> None:
    """`of` leads from a credential to its account, over each hop once."""
    found = _datamap(credentials__1__parent_key="number")
    assert found.parent_names() == ("account", "transaction", "applicants", "checks")
    assert found.parent_key(found.credentials[0]) == ("id",)
    assert found.parent_key(found.credentials[1]) == ("number",)
    assert list(found.ancestors("checks")) == ["checks", "applicants"]
    assert list(found.ancestors("transaction")) == ["transaction"]
    assert list(found.ancestors("account")) == []


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        ({"credentials__1__name": "templates"}, "credentials.1.name", "choose another"),
        ({"credentials__1__of": "check"}, "credentials.1.of", "write one of account, transaction"),
        ({"credentials__1__key": ["a", "b"]}, "credentials.1.key", "2 of 1 columns"),
        ({"links__checks__of": "checks"}, "links.checks.of", "leads back to itself"),
        ({"links__checks__of": "nobody"}, "links.checks.of", "'nobody' is not in this map"),
        ({"links__checks__key": ["a", "b"]}, "links.checks.key", "2 of 1 columns"),
        (
            {"links__account": CONTENT["links"]["applicants"]},
            "links.account.[key]",
            "choose another",
        ),
        ({"transactions__account": ["a", "b"]}, "transactions.account", "2 of 1 columns"),
        (
            {"accounts__activity": [{"table": "a.b", "key": ["x", "y"], "at": "at"}]},
            "accounts.activity.0.key",
            "2 of 1 columns",
        ),
        ({"transactions": ...}, "credentials.0.of", "write one of account, applicants, checks"),
        ({"credentials__0__table": "public.accounts"}, "credentials.0.erase", "are kept"),
        ({"credentials__0__table": "public.transactions"}, "credentials.0.erase", "are kept"),
        ({"retained": ["public.templates"]}, "credentials.0.erase", "under retained too"),
    ],
)
def test_parts_that_do_not_fit(values: dict[str, Any], path: str, message: str) -> None:
    """Each misfit is named by the path of the key to mend."""
    found = _problems(**values)
    assert list(found) == [path]
    assert message in found[path]


def test_a_circle_is_named_at_each_of_its_links() -> None:
    """Links that lead to each other and never to the account."""
    found = _problems(links__applicants__of="checks")
    assert list(found) == ["links.applicants.of", "links.checks.of"]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("public.accounts", "last_activity_at"),
        ("public.accounts", "id"),
        ("public.accounts", "tenant_id"),
        ("public.transactions", "account_id"),
        ("public.transactions", "country"),
        ("public.transactions", "decision"),
        ("public.transactions", "status"),
        ("public.transactions", "created_at"),
    ],
)
@pytest.mark.parametrize("form", ["set", "remove"])
def test_what_is_promised_to_stay_is_not_blanked(table: str, column: str, form: str) -> None:
    """Keys, activity, transaction metadata and the decision outlive every erasure."""
    erase = {"set": {column: None}} if form == "set" else {"remove": {column: [["x"]]}}
    found = _problems(credentials__0__table=table, credentials__0__erase=erase)
    assert list(found) == [f"credentials.0.erase.{form}.{column}.[key]"]


def test_a_part_may_stay() -> None:
    """One table may hold what goes and what stays, told apart by a column."""
    kept = [{"table": "public.templates", "where": {"kind": "AUDIT"}}]
    assert _datamap(retained=kept, credentials__0__where={"kind": "FACE"}).retained[0].where


def test_entries_by_scope() -> None:
    """Biometrics are erased by both scopes, the rest by `all` alone."""
    assert [e.name for e in _datamap().entries(Scope.ALL)] == ["templates", "documents"]
    assert [e.name for e in _datamap().entries(Scope.BIOMETRICS)] == ["templates"]


@pytest.mark.parametrize(
    "values",
    [
        {"credentials__0__name": "other"},
        {"retained": ["public.audit"]},
        {"accepted_triggers": ["public.accounts.touch"]},
    ],
)
def test_digest_leaves_out_what_erases_nothing(values: dict[str, Any]) -> None:
    """Renaming an entry, or writing down what stays, starts no lane again."""
    assert _datamap(**values).digest(Scope.ALL) == _datamap().digest(Scope.ALL)


@pytest.mark.parametrize(
    ("values", "all_only"),
    [
        ({"credentials__0__where": {"kind": "A"}}, False),
        ({"credentials__0__key": "tx"}, False),
        ({"credentials__1__where": {"kind": "A"}}, True),
        ({"credentials__1__erase": {"set": {"a": None}}}, True),
        ({"accounts__last_activity": "seen_at"}, False),
        ({"links__checks__key": "other"}, False),
    ],
)
def test_digest_by_scope(values: dict[str, Any], all_only: bool) -> None:
    """What a scope erases is in its digest, what only the other erases is not."""
    was, now = _datamap(), _datamap(**values)
    assert was.digest(Scope.ALL) != now.digest(Scope.ALL)
    assert (was.digest(Scope.BIOMETRICS) == now.digest(Scope.BIOMETRICS)) is all_only


def test_digest_tells_types_apart() -> None:
    """`kind: 1` and `kind: "1"` are different rows."""
    one, text, true = (
        _datamap(credentials__0__where={"kind": value}).digest(Scope.ALL)
        for value in (1, "1", True)
    )
    assert len({one, text, true}) == 3


def test_the_map_is_frozen() -> None:
    """Nothing that was checked is changed afterwards."""
    with pytest.raises(ValidationError, match="frozen"):
        _datamap().accounts.tenant = "other"  # type: ignore[misc]
