"""Four levels without foreign keys, activity in another table, one table of several kinds."""

from datetime import date, datetime, timedelta
from uuid import UUID

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.scope import Scope
from retention_worker.store.mapsql import compile_map
from tests.integration.foreign.conftest import NOW
from tests.integration.foreign.site import Row, Rows, Site, changed, merged, without

PRODUCT = "strata"
ACCOUNTS, APPLICANTS, LOGINS = "idv.account", "idv.applicant", "idv.login"
CHECKS, DOCUMENTS, PAGES, VECTORS = "idv.check", "idv.document", "idv.page", "idv.embedding"
KINDS = ("PASSPORT", "SELFIE", "AUDIT", None)
DUE = NOW - timedelta(days=60)
OLD = DUE - timedelta(days=100)
MICROSECOND = timedelta(microseconds=1)


def account(
    number: int,
    touched: datetime | None,
    *,
    client: str = "acme",
    login: datetime | None = None,
    made_on: date | None = None,
    applicants: int = 1,
    checks: int = 2,
) -> Rows:
    """An account with `checks` checks an applicant, each with a document of every kind."""
    rows: Rows = {
        ACCOUNTS: [
            {"account_no": number, "ref": f"r{number}", "client": client, "touched_at": touched}
        ],
        LOGINS: [],
        **{table: [] for table in (APPLICANTS, CHECKS, DOCUMENTS, PAGES, VECTORS)},
    }
    for index, at in enumerate((OLD, login)):
        if at is not None:
            wall = f"{at:%Y-%m-%d %H:%M:%S.%f}"
            rows[LOGINS].append(
                {"id": number * 10 + index, "account_no": number, "at": wall, "ok": True}
            )
    for first in range(applicants):
        applicant = UUID(int=number << 64 | first << 32)
        rows[APPLICANTS].append(
            {"id": applicant, "account_ref": f"r{number}", "full_name": "Ada Example"}
        )
        for second in range(checks):
            _check(rows, UUID(int=applicant.int | second << 16), applicant, made_on)
    return rows


def _check(rows: Rows, check: UUID, applicant: UUID, made_on: date | None) -> None:
    rows[CHECKS].append({"id": check, "applicant_id": applicant, "result": "clear"})
    rows[VECTORS].append({"check_id": check, "made_on": made_on, "vector": [0.5, 0.25]})
    for third, kind in enumerate(KINDS):
        document = UUID(int=check.int | third + 1)
        rows[DOCUMENTS].append(
            {
                "id": document,
                "check_id": check,
                "kind": kind,
                "file": f"s3://idv/{document}.jpg?x=%20",
                "thumbnail": b"\x89PNG",
            }
        )
        rows[PAGES].append({"document_id": document, "number": 1, "text": "page"})


def owner(row: Row, column: str) -> int:
    """The account that a row belongs to, by how the ids above are made."""
    found: UUID = row[column]
    return found.int >> 64


def erased(rows: Rows, numbers: set[int], scope: Scope = Scope.ALL) -> Rows:
    """What should be there after these accounts were erased."""
    left = without(rows, VECTORS, lambda row: owner(row, "check_id") in numbers)
    if scope is Scope.BIOMETRICS:
        return left
    left = without(left, PAGES, lambda row: owner(row, "document_id") in numbers)
    left = without(
        left, DOCUMENTS, lambda row: owner(row, "id") in numbers and row["kind"] != "AUDIT"
    )
    return changed(
        left,
        APPLICANTS,
        lambda row: row | {"full_name": None},
        lambda row: owner(row, "id") in numbers,
    )


def files(rows: Rows, numbers: set[int]) -> list[tuple[str, str, str]]:
    """What the outbox should hold after these accounts were erased."""
    return sorted(
        ("acme", str(owner(row, "id")), row["file"])
        for row in rows[DOCUMENTS]
        if owner(row, "id") in numbers and row["kind"] != "AUDIT"
    )


def test_everything_below_an_account_is_found(site: Site) -> None:
    """Pages go before the documents that lead to them; audit documents stay, their pages go.

    The order of the file would have left orphans: pages whose document is gone.
    """
    site.config.write_policy("acme", "60 days", "30 days")
    rows = merged(
        [
            account(1, DUE - MICROSECOND),
            account(2, DUE),
            account(3, DUE + MICROSECOND),
            account(4, None),
            account(5, OLD, client="other"),
        ]
    )
    site.load(rows)
    lanes = site.sweep()
    assert lanes["acme", Scope.ALL].accounts == 2
    assert lanes["acme", Scope.ALL].rows == {
        "names": 2,
        "thumbnails": 4,
        "documents": 12,
        "pages": 16,
    }
    wanted = erased(erased(rows, {1, 2}), {3}, Scope.BIOMETRICS)
    site.expect(wanted)
    assert site.uris() == files(rows, {1, 2})
    site.sweep_again()

    site.clock.forward(microseconds=1)
    assert site.sweep()["acme", Scope.ALL].accounts == 1
    site.expect(erased(wanted, {3}))
    assert site.uris() == files(rows, {1, 2, 3})


def test_logins_count_as_activity(site: Site) -> None:
    """The latest login keeps the account, to the microsecond and in its own time zone."""
    site.config.write_policy("acme", "60 days")
    new_york = DUE - timedelta(hours=5)  # in January the clocks there are five hours behind
    rows = merged(
        [
            account(1, OLD, login=new_york),
            account(2, OLD, login=new_york + MICROSECOND),
            account(3, OLD, login=new_york + timedelta(hours=4)),
            account(4, OLD),
        ]
    )
    site.load(rows)
    assert site.sweep()["acme", Scope.ALL].accounts == 2
    site.expect(erased(rows, {1, 4}))
    site.sweep_again()
    site.clock.forward(microseconds=1)
    assert site.sweep()["acme", Scope.ALL].accounts == 1
    site.expect(erased(rows, {1, 2, 4}))
    site.clock.forward(hours=4)
    site.sweep()
    site.expect(erased(rows, {1, 2, 3, 4}))


def test_a_newer_credential_defers_the_whole_account(site: Site) -> None:
    """One embedding made later keeps all credentials of the account until it is due itself.

    A date counts as the end of its day.
    """
    site.config.write_policy("acme", "60 days")
    day = (DUE - timedelta(hours=12)).date()  # its midnight is the day of DUE, twelve hours before
    rows = merged(
        [
            account(1, OLD, made_on=day - timedelta(days=1)),
            account(2, OLD, made_on=day),
            account(3, OLD),
        ]
    )
    site.load(rows)
    lane = site.sweep()["acme", Scope.ALL]
    assert (lane.accounts, lane.deferred) == (2, 1)
    site.expect(erased(rows, {1, 3}))
    site.sweep_again()
    site.clock.forward(hours=12, microseconds=-1)
    site.sweep()
    site.expect(erased(rows, {1, 3}))
    site.clock.forward(microseconds=1)
    assert site.sweep()["acme", Scope.ALL].accounts == 1
    site.expect(erased(rows, {1, 2, 3}))
    site.sweep_again()


def test_a_newer_credential_keeps_the_rest_after_biometrics(site: Site) -> None:
    """With a period for each scope, biometrics go when they are due, and the rest not before.

    The embedding was the only sign that the account was active; it goes, its time does not.
    """
    site.config.write_policy("acme", "60 days", "20 days")
    recent = (NOW - timedelta(days=30)).date()
    rows = account(1, OLD, made_on=recent)
    site.load(rows)
    lanes = site.sweep()
    assert (lanes["acme", Scope.BIOMETRICS].accounts, lanes["acme", Scope.ALL].accounts) == (1, 0)
    site.expect(erased(rows, {1}, Scope.BIOMETRICS))
    site.clock.forward(days=28)
    site.sweep()
    site.expect(erased(rows, {1}, Scope.BIOMETRICS))
    site.clock.forward(days=3)
    assert site.sweep()["acme", Scope.ALL].accounts == 1
    site.expect(erased(rows, {1}))


def test_a_large_account_goes_in_parts(site: Site) -> None:
    """Nine applicants in parts of two: all of them, one complete row, the files once each."""
    site.config.write_policy("acme", "60 days")
    rows = merged([account(1, DUE, applicants=9), account(2, DUE), account(3, NOW)])
    site.load(rows)
    assert site.sweep(batch_max_transactions=2)["acme", Scope.ALL].accounts == 2
    site.expect(erased(rows, {1, 2}))
    mine = [complete for _, number, _, complete in site.erasures() if number == "1"]
    assert mine == [False] * 5 + [True]
    assert site.uris() == files(rows, {1, 2})
    site.sweep_again(batch_max_transactions=2)


def test_the_order_of_erasure(site: Site) -> None:
    """What leads to other rows goes after them, whatever the file's order says."""
    datamap = load_datamap(site.config.path).datamap
    with site.database.connect() as conn:
        compiled = compile_map(conn, datamap, "retention")
    names = [each.entry.name for each in compiled.entries]
    assert names == ["names", "thumbnails", "pages", "documents", "embeddings"]
