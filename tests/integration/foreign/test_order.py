"""The order of erasure: nothing is taken away that another entry still needs to be found."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.errors import DriftError
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.sweep.sweep import sweep
from retention_worker.store.catalog import Catalog, ForeignKey
from retention_worker.store.mapsql.order import children_first
from tests.integration.foreign.conftest import NOW
from tests.integration.foreign.site import Rows, changed, site_of, template_of, without
from tests.server import Server

Entry = dict[str, Any]


def datamap(*entries: Entry) -> DataMap:
    """Accounts, documents under them, pages under those; and these entries, of class other."""
    return DataMap.model_validate(
        {
            "accounts": {"table": "app.account", "id": "id", "last_activity": "seen"},
            "links": {
                "document": {"table": "app.document", "id": "id", "of": "account", "key": "owner"},
                "page": {"table": "app.page", "id": "id", "of": "document", "key": "document"},
                "pass": {"table": "app.pass", "id": "id", "of": "account", "key": "owner"},
            },
            "credentials": [
                {"class": "other", "erase": "rows", "name": entry["table"], **entry}
                for entry in entries
            ],
        }
    )


def catalog(*keys: str, acts: bool = False) -> Catalog:
    """A catalog of foreign keys alone: `child parent`, by a column named like the parent."""
    found = [[TableName.model_validate(f"app.{name}") for name in key.split()] for key in keys]
    return Catalog(
        tables={},
        foreign_keys=tuple(
            ForeignKey(child=child, parent=parent, columns=(parent.name,), acts=acts)
            for child, parent in found
        ),
    )


def order(chosen: DataMap, known: Catalog) -> list[str]:
    """The names in the order of erasure."""
    return [entry.name for step in children_first(chosen, known) for entry in step]


DOCUMENTS: Entry = {"table": "app.document", "of": "account", "key": "owner"}
PAGES: Entry = {"table": "app.page", "of": "document", "key": "document"}
WORDS: Entry = {"table": "app.word", "of": "page", "key": "page"}
MARKS: Entry = {"table": "app.mark", "of": "account", "key": "owner"}


def test_what_leads_to_others_goes_last() -> None:
    """Without a foreign key the joins of the map decide, and the file's order for the rest."""
    chosen = datamap(DOCUMENTS, MARKS, PAGES, WORDS)
    assert order(chosen, catalog()) == ["app.mark", "app.word", "app.page", "app.document"]


def test_own_rows_of_a_link_go_after_what_hangs_on_them() -> None:
    """An entry on the link's own rows takes the same way, and cuts it off for the others."""
    own = {"table": "app.page", "of": "page", "key": "id"}
    chosen = datamap(own, WORDS)
    assert order(chosen, catalog()) == ["app.word", "app.page"]


def test_a_blanked_condition_goes_after_its_readers() -> None:
    """A column that says which rows belong to another entry is blanked after that entry."""
    kinds = {**PAGES, "name": "kinds", "erase": {"set": {"kind": None}}}
    scans = {**PAGES, "name": "scans", "where": {"kind": "SCAN"}, "erase": {"set": {"raw": None}}}
    assert order(datamap(kinds, scans), catalog()) == ["scans", "kinds"]


def test_a_blanked_object_name_goes_after_its_readers() -> None:
    """The name of an object is read before another entry blanks it."""
    names = {**PAGES, "name": "names", "erase": {"set": {"file": None}}}
    files = {
        **PAGES,
        "name": "files",
        "erase": {"set": {"text": None}},
        "objects": {"column": "file"},
    }
    assert order(datamap(names, files), catalog()) == ["files", "names"]


def test_foreign_keys_between_unrelated_entries() -> None:
    """A table that refers to another goes first; in a circle the file's order decides."""
    chosen = datamap(DOCUMENTS, MARKS)
    assert order(chosen, catalog("mark document")) == ["app.mark", "app.document"]
    circle = catalog("mark document", "document mark")
    assert order(chosen, circle) == ["app.document", "app.mark"]


def test_joins_win_over_foreign_keys() -> None:
    """A key against the direction of the join refuses loudly; a lost way would be silent."""
    chosen = datamap(DOCUMENTS, PAGES)
    assert order(chosen, catalog("document page")) == ["app.page", "app.document"]


def steps(chosen: DataMap, known: Catalog) -> list[list[str]]:
    """The names, those of a step together."""
    return [[entry.name for entry in step] for step in children_first(chosen, known)]


LINKS: Entry = {**DOCUMENTS, "name": "links"}
PARTS: Entry = {"table": "app.page", "of": "document", "key": "id", "parent_key": "page"}


def test_what_refers_to_what_it_leads_to() -> None:
    """One step by a key that does not act; two by one that does, or where nothing is given up."""
    chosen = datamap(LINKS, MARKS, {**PARTS, "name": "parts"})
    assert steps(chosen, catalog("document page")) == [["parts", "links"], ["app.mark"]]
    acting = catalog("document page", acts=True)
    assert steps(chosen, acting) == [["app.mark"], ["parts"], ["links"]]
    blank = {**LINKS, "erase": {"set": {"page": None}}}
    assert steps(datamap(blank, PARTS), catalog("document page")) == [["app.page", "links"]]
    other = {**LINKS, "erase": {"set": {"note": None}}}
    assert steps(datamap(other, PARTS), catalog("document page")) == [["links"], ["app.page"]]


def test_all_of_a_step_is_one_statement() -> None:
    """What has to go between two of a step belongs to it, too."""
    between = {**PARTS, "name": "words", "table": "app.word"}
    known = catalog("document page", "page word")
    chosen = datamap(LINKS, PARTS, between)
    assert steps(chosen, known) == [["app.page", "words", "links"]]


@pytest.mark.parametrize(
    "others",
    [
        # Of another class, by another way than what is walked, and two changes of one row.
        [{**LINKS, "class": "other"}, {**PARTS, "class": "biometric"}],
        [{**LINKS, "of": "pass", "key": "pass"}, PARTS],
        [
            {**LINKS, "name": "one", "erase": {"set": {"page": None}}},
            {**LINKS, "name": "two", "erase": {"set": {"page": None, "b": None}}},
            PARTS,
        ],
    ],
)
def test_what_no_statement_can_do_together(others: list[Entry]) -> None:
    """Each is a step of its own, and doctor refuses them."""
    assert all(len(step) == 1 for step in steps(datamap(*others), catalog("document page")))


def test_two_that_take_away_each_other() -> None:
    """No order serves both: refused, with both names."""
    first = {**PAGES, "name": "one", "where": {"a": 1}, "erase": {"set": {"b": None}}}
    second = {**PAGES, "name": "two", "where": {"b": 1}, "erase": {"set": {"a": None}}}
    with pytest.raises(DriftError, match="'one' and 'two'"):
        order(datamap(first, second), catalog())


def test_kinds_of_rows_take_nothing_from_each_other() -> None:
    """A table of files with a row a kind: whoever blanks the name of one kind leaves the others."""
    files = {**PAGES, "objects": {"column": "uri"}, "erase": {"set": {"uri": None}}}
    faces = {**files, "name": "faces", "class": "biometric", "where": {"kind": "FACE"}}
    ids = {**files, "name": "ids", "where": {"kind": ["FRONT", "BACK"]}}
    assert order(datamap(faces, ids), catalog()) == ["faces", "ids"]
    both = {**ids, "where": {"kind": ["FACE", "BACK"]}, "class": "biometric"}
    with pytest.raises(DriftError, match="'faces' and 'ids'"):
        order(datamap(faces, both), catalog())


def test_biometrics_alone_must_not_cut_off_the_rest() -> None:
    """Rows that lead to credentials of class other: an erasure of biometrics would strand those.

    A foreign key onto them is guard enough, because the server then refuses.
    """
    chosen = datamap({**DOCUMENTS, "class": "biometric"}, PAGES)
    with pytest.raises(DriftError, match=r"app\.document.*'app\.page'"):
        order(chosen, catalog())
    assert order(chosen, catalog("page document")) == ["app.page", "app.document"]
    assert order(datamap(DOCUMENTS, {**PAGES, "class": "biometric"}), catalog())


CIRCLE = """
    CREATE TABLE public.person (id int PRIMARY KEY, seen timestamptz, avatar int);
    CREATE INDEX ON public.person (seen, id);
    CREATE TABLE public.picture (
        id int PRIMARY KEY, person_id int NOT NULL REFERENCES public.person, file text,
        tags text[]);
    CREATE INDEX ON public.picture (person_id);
    ALTER TABLE public.person ADD FOREIGN KEY (avatar) REFERENCES public.picture
        ON DELETE SET NULL;
    CREATE INDEX ON public.person (avatar);
"""
CIRCLE_MAP = """
    accounts: {table: public.person, id: id, last_activity: seen}
    credentials:
      - name: pictures
        table: public.picture
        class: other
        of: account
        key: person_id
        objects: {column: file}
        erase: rows
      - {name: avatars, table: public.person, class: other, of: account, key: id,
         erase: {set: {avatar: null}}}
"""


def people() -> Rows:
    """Three people with two pictures each, the first of them the avatar; the last is active."""
    return {
        "public.person": [
            {"id": n, "seen": NOW - timedelta(days=90 if n < 3 else 1), "avatar": n * 10}
            for n in (1, 2, 3)
        ],
        "public.picture": [
            {"id": n * 10 + k, "person_id": n, "file": f"s3://p/{n}/{k}", "tags": ["a", "b"]}
            for n in (1, 2, 3)
            for k in (0, 1)
        ],
    }


def test_tables_that_refer_to_each_other(server: Server, tmp_path: Path) -> None:
    """The reference is blanked before its picture goes, so that what `plan` counted is erased."""
    with (
        template_of(server, tmp_path / "template", CIRCLE, CIRCLE_MAP) as template,
        site_of(server, template, tmp_path, CIRCLE_MAP, NOW) as site,
    ):
        site.config.write_policy("app", "60 days")
        rows = people()
        site.load(rows)
        lane = site.sweep()["app", Scope.ALL]
        assert lane.rows == {"avatars": 2, "pictures": 4}
        left = without(rows, "public.picture", lambda row: row["person_id"] < 3)
        site.expect(
            changed(
                left, "public.person", lambda row: row | {"avatar": None}, lambda row: row["id"] < 3
            )
        )
        assert len(site.uris()) == 4
        site.sweep_again()


def test_a_list_of_names_is_no_object(server: Server, tmp_path: Path) -> None:
    """An array as `objects` would queue one URI that exists nowhere: refused, nothing erased."""
    wrong = CIRCLE_MAP.replace("column: file", "column: tags")
    with (
        template_of(server, tmp_path / "template", CIRCLE, wrong) as template,
        site_of(server, template, tmp_path, wrong, NOW) as site,
    ):
        site.config.write_policy("app", "60 days")
        site.load(people())
        with site.worker() as worker, pytest.raises(DriftError, match="one object's name"):
            sweep(worker)
        site.expect(people())


def test_a_type_that_changed_since_the_sweep_began(server: Server, tmp_path: Path) -> None:
    """A column dropped behind the worker's back ends the lane, and the next sweep is refused."""
    with (
        template_of(server, tmp_path / "template", CIRCLE, CIRCLE_MAP) as template,
        site_of(server, template, tmp_path, CIRCLE_MAP, NOW) as site,
    ):
        site.config.write_policy("app", "60 days")
        site.load(people())

        def drop(*_: object) -> None:
            site.execute("ALTER TABLE picture DROP COLUMN IF EXISTS file")

        with site.worker(batch_max_accounts=1) as worker:
            (lane,) = sweep(worker, progress=drop).lanes
            assert (lane.accounts, lane.stop_reason) == (1, StopReason.REFUSED)
            with pytest.raises(DriftError, match="file"):
                sweep(worker)
        assert site.query("SELECT count(*) FROM picture") == [(4,)]
