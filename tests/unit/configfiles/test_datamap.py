"""The data map's file: every kind of fault gives its one line, with the exact place."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from retention_worker.configfiles.datamap import DataMapFile, load_datamap
from retention_worker.configfiles.text import content_hash
from retention_worker.domain.datamap.columns import TimeUnit
from retention_worker.domain.datamap.credential import SetAndRemove
from retention_worker.domain.errors import FileProblem, FileProblemsError

CONFIG = Path("config")
GOOD = """\
accounts:
  table: public.accounts
  id: [id, Region]
  tenant: tenant_id
  last_activity: [seen_at, {column: ts, unit: ms}, {column: day, time_zone: Europe/Berlin}]
  activity:
    - {table: public.logins, key: [account_id, region], at: created_at}
transactions:
  table: [public, trans.actions]
  id: id
  account: [account_id, region]
  created_at: created_at
  metadata: [created_at, country]
  decision: [decision]
  state: {column: status, in_progress: PENDING}
links:
  applicants: {table: public.applicants, id: id, of: account, key: [account_id, region]}
  checks: {table: public.checks, id: id, of: applicants, key: applicant_id}
credentials:
  - name: face templates
    table: public.face_templates
    class: biometric
    of: transaction
    key: transaction_id
    created_at: created_at
    erase: rows
  - name: selfies
    table: public.images
    class: other
    of: checks
    key: check_id
    where: {kind: [SELFIE, 3, true, null, 2026-01-01], side: no}
    objects: [{column: uri}, {column: file, uri: "s3://kyc/{tenant}/{value}", shared: false}]
    erase: rows
  - name: extracted fields
    table: [public, trans.actions]
    class: other
    of: transaction
    key: id
    erase:
      set: {name: null, extracted: {}, list: [], ratio: 1.5, number: 0, tag: "{id}", at: 2026-01-01}
      remove: {context: [[entity, data], [other, 0]]}
retained: [public.verification_results, {table: public.images, where: {kind: AUDIT}}]
accepted_triggers: [public.images.count_images]
"""
ERASE = "write rows, or {set: {column: value}}, or {remove: {column: [[path]]}}"


@pytest.fixture(autouse=True)
def _in_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are printed as they were given, so the tests give relative ones."""
    (tmp_path / CONFIG).mkdir()
    monkeypatch.chdir(tmp_path)


def _load(text: str) -> DataMapFile:
    (CONFIG / "datamap.yaml").write_text(text)
    return load_datamap(CONFIG)


def _lines(text: str) -> str:
    with pytest.raises(FileProblemsError) as caught:
        _load(text)
    return str(caught.value).replace("config/datamap.yaml:", "")


def test_a_whole_file() -> None:
    """Everything that a map can say, in its short and its long forms."""
    file = _load(GOOD)
    assert str(file.path) == "config/datamap.yaml"
    assert file.text == GOOD
    assert file.content_hash == content_hash(CONFIG / "datamap.yaml")
    found = file.datamap
    assert [time.column for time in found.accounts.last_activity] == ["seen_at", "ts", "day"]
    assert found.accounts.last_activity[1].unit is TimeUnit.MILLISECONDS
    assert found.accounts.last_activity[2].time_zone == "Europe/Berlin"
    assert found.accounts.activity[0].key == ("account_id", "region")
    assert found.transactions is not None
    assert found.transactions.table.name == "trans.actions"
    assert found.transactions.state is not None
    assert found.transactions.state.in_progress == ("PENDING",)
    assert found.links["checks"].of == "applicants"
    assert found.retained[1].where == {"kind": ("AUDIT",)}


def test_values_keep_their_types() -> None:
    """What is compared and what is written is what stands in the file, dates as text."""
    credentials = _load(GOOD).datamap.credentials
    assert credentials[1].where == {
        "kind": ("SELFIE", 3, True, None, "2026-01-01"),
        "side": ("no",),
    }
    erase = credentials[2].erase
    assert isinstance(erase, SetAndRemove)
    assert erase.set == {
        "name": None,
        "extracted": {},
        "list": [],
        "ratio": 1.5,
        "number": 0,
        "tag": "{id}",
        "at": "2026-01-01",
    }
    assert erase.remove == {"context": (("entity", "data"), ("other", 0))}


def test_the_smallest_file() -> None:
    """One table of accounts that holds the credentials itself."""
    found = _load(
        "accounts: {table: a.b, id: id, last_activity: at}\n"
        "credentials:\n"
        "- {name: n, table: a.b, class: other, of: account, key: id, erase: {set: {x: null}}}\n"
    ).datamap
    assert (found.transactions, found.links, found.retained) == (None, {}, ())


# What is put in place of what, with a bar where the problem is to be reported; and its text.
FAULTS = [
    # Keys.
    ("class: bio", "|clas: bio", "credentials[0].clas: is no key here: write class"),
    ("accounts:", "|acounts:", "acounts: is no key here: write accounts"),
    ("accepted_triggers:", "|zz:", "zz: is no key here: write one of accounts, transactions,"),
    ("unit: ms", "|units: ms", "accounts.last_activity[1].units: is no key here: write unit"),
    ("shared:", "|share:", "credentials[1].objects[1].share: is no key here: write shared"),
    ("      set:", "      |sett:", "credentials[2].erase.sett: is no key here: write set"),
    ("of: account,", "|off: account,", "links.applicants.off: is no key here: write of"),
    ("where: {kind: A", "|were: {kind: A", "retained[1].were: is no key here: write where"),
    ("tenant: tenant_id", "|id: id", "accounts.id: is there twice, first in line 3: keep one"),
    # What is missing.
    (
        "table: public.accounts\n  id",
        "|id",
        "accounts.table: is missing: write table: schema.table",
    ),
    ("{column: status, ", "|{", "transactions.state.column: is missing: write column: its name"),
    ("{table: public.images, ", "|{", "retained[1].table: is missing: write table: schema.table"),
    # What is empty never means all, or none.
    (
        "tenant: tenant_id",
        "|tenant:",
        "accounts.tenant: is empty: write a value, or leave the line",
    ),
    ("kind: AUDIT", "kind: |[]", "retained[1].where.kind: is empty: write at least one"),
    ("where: {kind: AUDIT}", "|where: ", "retained[1].where: is empty: write a value, or leave"),
    ("where: {kind: AUDIT}", "where: |{}", "retained[1].where: is no condition: write column:"),
    ("erase: rows", "|erase:", "credentials[0].erase: is empty: write a value, or leave the line"),
    ("erase: rows", "erase: |{}", f"credentials[0].erase: erases nothing: {ERASE}"),
    ("unit: ms", "|unit: ", "accounts.last_activity[1].unit: is no unit: write s, ms or us"),
    ("id: [id, Region]", "id: |[]", "accounts.id: is no column: write its name, or a list of"),
    # Names.
    (
        "public.accounts",
        "|accounts",
        "accounts.table: is no table: write schema.table, or [schema,",
    ),
    ("[public, trans.actions]", "|[a]", "transactions.table: is no table: write schema.table, or"),
    ("[id, Region]", "[id, |1]", "accounts.id[1]: is no name: write it in quotes"),
    ("[id, Region]", "|[id, id]", "accounts.id: has column id twice: keep one"),
    ("tenant: tenant_id", "tenant: |1", "accounts.tenant: is no name: write it in quotes"),
    ("Region", "|" + "r" * 64, "accounts.id[1]: is no name: write 1 to 63 bytes without a NUL"),
    ("number: 0", "|" + "n" * 64 + ": 0", "credentials[2].erase.set.nnnnnnnnnnnnnnnnnnnnnnnnnn"),
    ("name: selfies", "name: |face templates", "credentials[1].name: 'face templates' is the name"),
    (
        "name: selfies",
        "name: |7",
        "credentials[1].name: is a number, not a text: write it in quotes",
    ),
    ("name: selfies", "name: |''", "credentials[1].name: is empty: write a text"),
    # Times.
    ("unit: ms", "unit: |h", "accounts.last_activity[1].unit: is no unit: write s, ms or us"),
    ("Europe/Berlin", "|CEST!", "accounts.last_activity[2].time_zone: is no time zone: write one"),
    ("{column: ts", "|{time_zone: UTC, column: ts", "accounts.last_activity[1]: an epoch number"),
    ("[seen_at,", "[|1,", "accounts.last_activity[0]: is no column: write its name, or {column:"),
    # Values.
    ("class: biometric", "class: |face", "credentials[0].class: is no class: write biometric or"),
    ("class: biometric", "class: |[other]", "credentials[0].class: is no class: write biometric"),
    ("erase: rows", "erase: |row", f"credentials[0].erase: is no way to erase: {ERASE}"),
    ("erase: rows", "erase: |[rows]", "credentials[0].erase: is no way to erase: write rows, or"),
    ("AUDIT", "|1.5", "retained[1].where.kind: is no value to compare with: write a text, a whole"),
    ("PENDING", "[|1.5]", "transactions.state.in_progress[0]: is no value to compare with: write"),
    ('"s3://kyc/{tenant}/{value}"', "|'{key}'", "credentials[1].objects[1].uri: is no template:"),
    ("shared: false", "shared: |0", "credentials[1].objects[1].shared: is a number: write true or"),
    ("[[entity, data]", "[|[true]", "credentials[2].erase.remove.context[0]: is no JSON path:"),
    ("[[entity, data], [other, 0]]", "|x", "credentials[2].erase.remove.context: is no list of"),
    ("[public.images.count_images]", "|x", "accepted_triggers: is a text: write a list"),
    ("[public.images.count_images]", "[|1]", "accepted_triggers[0]: is a number, not a text:"),
    ("metadata: [created_at, country]", "metadata: |x", "transactions.metadata: is a text: write"),
    ("set: {name: null,", "set: |[a]\n      #", "credentials[2].erase.set: is a list: write its"),
    # Parts that do not fit.
    ("of: checks", "of: |check", "credentials[1].of: 'check' is not in this map: write one of acc"),
    ("of: applicants", "of: |checks", "links.checks.of: leads back to itself: name what is nearer"),
    ("key: applicant_id", "key: |[a, b]", "links.checks.key: has 2 of 1 columns: write one for"),
    ("key: check_id", "key: |[a, b]", "credentials[1].key: has 2 of 1 columns: write one for each"),
    ("account: [account_id, region]", "account: |id", "transactions.account: has 1 of 2 columns:"),
    ("[account_id, region], at", "|x, at", "accounts.activity[0].key: has 1 of 2 columns: write"),
    (
        "links:",
        "links:\n  |account: {table: a.b, id: id, of: account, key: [a, b]}",
        "links.account: is a name that has a meaning of its own: choose another",
    ),
    ("name: null", "|country: null", "credentials[2].erase.set.country: is a column that the map"),
    ("[[entity", "[[x]], |decision: [[entity", "credentials[2].erase.remove.decision: is a column"),
    (
        "public.face_templates\n    class: biometric\n    of: transaction\n"
        "    key: transaction_id\n    created_at: created_at\n    erase: rows",
        "public.accounts\n    class: biometric\n    of: transaction\n"
        "    key: transaction_id\n    erase: |rows",
        "credentials[0].erase: the rows of public.accounts are kept: write set with the columns",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_one_fault_one_line(old: str, new: str, message: str) -> None:
    """What is wrong and what to write, at the line and column where it is to be mended."""
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    before = text[: text.index("|")].split("\n")
    [found] = _lines(text.replace("|", "", 1)).splitlines()
    assert found.startswith(f"{len(before)}:{len(before[-1]) + 1}: {message}")


def test_a_key_that_is_missing_in_a_list() -> None:
    """The line is that of the entry which lacks the key."""
    assert _lines(GOOD.replace("    key: check_id\n", "")) == (
        "27:5: credentials[1].key: is missing: write key: the column that refers to the parent"
    )


def test_every_fault_is_reported_in_the_order_of_the_file() -> None:
    """One reading shows all there is to mend."""
    text = GOOD.replace("unit: ms", "unit: h").replace("class: other", "class: face")
    places = [line.split(": ")[1] for line in _lines(text).splitlines()]
    assert places == [
        "accounts.last_activity[1].unit",
        "credentials[1].class",
        "credentials[2].class",
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["1:1: is empty: write its keys under it, one a line"]),
        ("[]\n", ["1:1: is a list: write its keys under it, one a line"]),
        (
            "accounts: {}\n",
            [
                "1:1: credentials: is missing: write credentials: a list of entries",
                "1:11: accounts.table: is missing: write table: schema.table",
                "1:11: accounts.id: is missing: write id: the column with the primary key",
                "1:11: accounts.last_activity: is missing: write last_activity: the column with"
                " the time",
            ],
        ),
        (
            "accounts: 1\ncredentials: {}\nlinks: []\n",
            [
                "1:11: accounts: is a number: write its keys under it, one a line",
                "2:14: credentials: has keys under it: write a list",
                "3:8: links: is a list: write its keys under it, one a line",
            ],
        ),
    ],
)
def test_files_that_are_no_map(text: str, lines: list[str]) -> None:
    """What is not a map at all says what it lacks."""
    assert _lines(text).splitlines() == lines


def test_missing_file() -> None:
    """Without a map nothing can be erased, and the line says where it was looked for."""
    with pytest.raises(FileProblemsError) as caught:
        load_datamap(CONFIG)
    assert str(caught.value) == (
        "config/datamap.yaml:1:1: cannot be read (No such file or directory):"
        " create it, or mend the path"
    )


def test_a_name_with_a_line_break() -> None:
    """A problem is one line whatever the names are."""
    text = GOOD.replace("number: 0", '"a\\nb": 0').replace("context:", '"a\\nb":')
    assert "\n" not in _lines(text)


CONTENT: dict[str, Any] = YAML(typ="safe", pure=True).load(GOOD.replace("2026-01-01", "'x'"))


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    parts = dict(enumerate(value)) if isinstance(value, list) else value
    for key, part in parts.items() if isinstance(parts, dict) else ():
        yield from _paths(part, (*path, key))


strangers: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "x", "a.b", "rows", [], {}, [[]], [None], {"x": None}, {"": {}}]
) | st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from([path for path in _paths(CONTENT) if path]), strangers)
def test_any_value_anywhere_is_read_or_refused(path: tuple[str | int, ...], value: Any) -> None:
    """No value in any place of the file ends in another error than problems of one line each."""
    content = copy.deepcopy(CONTENT)
    place: Any = content
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    problems: tuple[FileProblem, ...] = ()
    try:
        _load(json.dumps(content, indent=1))
    except FileProblemsError as exc:
        problems = exc.problems
    for problem in problems:
        assert "\n" not in str(problem)
        assert min(problem.line, problem.column) >= 1
