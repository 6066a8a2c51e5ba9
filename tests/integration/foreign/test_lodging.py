"""A single-tenant product: no tenant column, names in mixed case, columns blanked in every way."""

import json
from datetime import datetime, timedelta
from zlib import crc32

import pytest

from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.plan.plan import plan
from retention_worker.service.sweep.sweep import sweep
from tests.integration.foreign.conftest import NOW
from tests.integration.foreign.site import Row, Rows, Site, changed, merged, without

PRODUCT = "lodging"
USERS, FACES, FILES = "KYC.Users", "KYC.FaceDescriptors", "KYC.Attachments"
NOTHING = datetime.fromisoformat("0001-01-01")
MICROSECOND = timedelta(microseconds=1)
ALL_DUE = NOW.replace(tzinfo=None) - timedelta(days=360)
FACES_DUE = NOW.replace(tzinfo=None) - timedelta(days=90)


def user(name: str, seen: datetime | None, verified: datetime | None = None) -> Rows:
    """A user with everything: two faces, files of four kinds, another record's file, a review."""
    number = crc32(name.encode()) % 1_000_000 * 10
    profile = {
        "aliases": ["Kim", "Robin"],
        "identity": {"document": {"number": "X1"}, "verified": True},
        "50% {x}": [1],
        "theme": "dark",
    }
    return {
        USERS: [
            {
                "id": name,
                "emailAddress": f"{name}@example.org",
                "fullName": f"Person {name}",
                "phone%": "+49 30",
                "taxCode": f"T{number}",
                "profile": json.dumps(profile),
                "rawResponse": '{"entity": {"data": {"dob": "1990"}, "id": 7},  "n": "\\u00e9"}',
                "locale": "de",
                "lastSeenAt": seen,
                "lastVerifiedAt": verified,
            }
        ],
        FACES: [
            {"id": number + index, "userId": name, "descriptor": [0.5, -1.25, float(index)]}
            for index in range(2)
        ],
        FILES: [
            _file(number + 0, "User", name, "selfie", "a/1.jpg"),
            _file(number + 1, "User", name, "id 100%", "b{id}/{tenant}%s.jpg"),
            _file(number + 2, "User", name, "it's {odd}", None),
            _file(number + 3, "User", name, "selfie", ""),
            _file(number + 4, "User", name, "avatar", "keep.png"),
            _file(number + 5, "Listing", name, "selfie", "house.png"),
        ],
        "KYC.Reviews": [{"id": number, "userId": name, "verdict": "ok", "createdAt": "2024-01-01"}],
    }


def _file(number: int, kind: str, owner: str, name: str, key: str | None) -> Row:
    return {"id": number, "recordType": kind, "recordId": owner, "name": name, "fileKey": key}


def activity(row: Row) -> datetime | None:
    """The rule of the map, in Python: the later of both; None where neither is."""
    times = [row[name] for name in ("lastSeenAt", "lastVerifiedAt") if row[name] is not None]
    return max(times) if times else None


def erased(rows: Rows, names: set[str], *, everything: bool) -> Rows:
    """What should be there after the users of these names were erased."""
    left = without(rows, FACES, lambda row: row["userId"] in names)
    if not everything:
        return left
    kinds = {"selfie", "id 100%", "it's {odd}"}
    left = without(
        left,
        FILES,
        lambda row: (
            row["recordType"] == "User" and row["recordId"] in names and row["name"] in kinds
        ),
    )
    return changed(left, USERS, blanked, lambda row: row["id"] in names)


def blanked(row: Row) -> Row:
    """The user's row after an erasure: what the map names is gone, and nothing else."""
    return row | {
        "emailAddress": f"erased+{row['id']}@100%.invalid",
        "fullName": "{erased} 'by' \"rule\" %s \\ {}",
        "phone%": None,
        "taxCode": None,
        # A place in a list is kept empty, because the ones behind it would move up into it.
        "profile": '{"aliases": [null, "Robin"], "identity": {"verified": true}, "theme": "dark"}',
        "rawResponse": '{"n": "é", "entity": {"id": 7}}',
    }


def test_boundaries_of_both_periods(site: Site) -> None:
    """The later column decides, to the microsecond; never a user without any activity.

    Face descriptors alone go by their own period: every other row stays byte for byte. The outbox
    has each file once, with the template around the value as it is; the file of a listing with the
    same id stays, and so does the avatar.
    """
    site.config.write_policy("lodging", "360 days", "90 days")
    rows = merged(
        [
            user("before", ALL_DUE - MICROSECOND, NOTHING),
            user("at", None, ALL_DUE),
            user("after", ALL_DUE - MICROSECOND, ALL_DUE + MICROSECOND),
            user("faces at", FACES_DUE, ALL_DUE),
            user("faces after", FACES_DUE + MICROSECOND),
            user("it's % {id}", NOTHING),
            user("never", None),
        ]
    )
    assert [activity(row) for row in rows[USERS]][-1] is None
    site.load(rows)
    lanes = site.sweep()
    both = {"before", "at", "it's % {id}"}
    assert lanes["lodging", Scope.ALL].accounts == 3
    assert lanes["lodging", Scope.BIOMETRICS].accounts == 5
    assert lanes["lodging", Scope.ALL].rows == {"profile": 3, "identity files": 12}
    assert lanes["lodging", Scope.ALL].objects_queued == 6
    wanted = erased(rows, {*both, "after", "faces at"}, everything=False)
    wanted = erased(wanted, both, everything=True)
    site.expect(wanted)
    assert site.uris() == sorted(
        ("lodging", name, f"s3://lodging-kyc/100%/{name}/{value}")
        for name in both
        for value in ("a/1.jpg", "b{id}/{tenant}%s.jpg")
    )
    site.sweep_again()

    site.clock.forward(microseconds=1)
    lanes = site.sweep()
    assert lanes["lodging", Scope.ALL].accounts == 1
    assert lanes["lodging", Scope.BIOMETRICS].accounts == 1
    wanted = erased(wanted, {"after", "faces after"}, everything=False)
    site.expect(erased(wanted, {"after"}, everything=True))

    site.clock.forward(days=3650)
    lanes = site.sweep()
    assert lanes["lodging", Scope.ALL].accounts == 2
    site.expect(erased(rows, {row["id"] for row in rows[USERS]} - {"never"}, everything=True))
    site.sweep_again()


ODD_JSON = [
    ("null", None, "null", None),
    ('"text"', '"text"', '"text"', '"text"'),
    ("[]", "7", "[]", "7"),
    ('["a"]', '{"entity": [1]}', '["a"]', '{"entity": [1]}'),
    ('{"aliases": []}', "{}", '{"aliases": []}', "{}"),
    ('{"aliases": {"0": "x"}}', '{"entity": null}', '{"aliases": {}}', '{"entity": null}'),
    ('{"aliases": [null, 1]}', '{"entity":{}}', '{"aliases": [null, 1]}', '{"entity":{}}'),
    (
        '{"aliases": [{"a": [1]}]}',
        '{"entity": {"data": null}}',
        '{"aliases": [null]}',
        '{"entity": {}}',
    ),
]


@pytest.mark.parametrize(("profile", "raw", "profile_left", "raw_left"), ODD_JSON)
def test_json_of_any_shape(
    site: Site, profile: str, raw: str | None, profile_left: str, raw_left: str | None
) -> None:
    """JSON without the path, or no object at all, stops nothing and stays as it is."""
    site.config.write_policy("lodging", "360 days")
    rows = user("odd", ALL_DUE)
    rows[USERS][0] |= {"profile": profile, "rawResponse": raw}
    site.load(rows)
    lane = site.sweep()["lodging", Scope.ALL]
    assert (lane.accounts, lane.stop_reason) == (1, StopReason.EXHAUSTED)
    wanted = erased(rows, {"odd"}, everything=True)
    wanted[USERS][0] |= {"profile": profile_left, "rawResponse": raw_left}
    site.expect(wanted)
    site.sweep_again()


@pytest.mark.parametrize("text", ["\\u0000", "\\ud83d", "\\\\\\u0000", "\\udE00\\ud83D"])
def test_json_that_cannot_be_read_stops_only_its_own_account(site: Site, text: str) -> None:
    """A json text that PostgreSQL cannot take apart is reported, and the others are erased.

    Nothing else of that user is left, so that it alone decides whether there is something to do.
    """
    site.config.write_policy("lodging", "360 days")
    rows = merged([user("broken", ALL_DUE), user("good", ALL_DUE), user("next", ALL_DUE)])
    rows = erased(rows, {"broken"}, everything=True)
    rows[USERS][0]["rawResponse"] = f'{{"entity": {{"data": "{text}"}}}}'
    site.load(rows)
    with site.worker() as worker:
        assert [lane.due for lane in plan(worker).lanes] == [3]
        (lane,) = sweep(worker, reconcile=True).lanes
        assert (lane.accounts, lane.deferred, lane.stop_reason) == (2, 1, StopReason.EXHAUSTED)
        site.expect(erased(rows, {"good", "next"}, everything=True) | {USERS: _broken(rows)})
        site.clock.forward(days=1)
        (lane,) = sweep(worker, reconcile=True).lanes
    assert (lane.accounts, lane.deferred, lane.stop_reason) == (0, 1, StopReason.EXHAUSTED)


def _broken(rows: Rows) -> list[Row]:
    """The users after everyone but the first was erased."""
    return [rows[USERS][0], *map(blanked, rows[USERS][1:])]


def test_json_that_looks_unreadable_and_is_not(site: Site) -> None:
    """Escaped backslashes and whole pairs of surrogates are nothing unusual."""
    site.config.write_policy("lodging", "360 days")
    rows = user("emoji", ALL_DUE)
    rows[USERS][0]["rawResponse"] = (
        '{"a": "\\ud83d\\ude00", "b": "\\\\u0000", "c": "\\\\\\\\ud83d"}'
    )
    site.load(rows)
    assert site.sweep()["lodging", Scope.ALL].accounts == 1
    wanted = erased(rows, {"emoji"}, everything=True)
    wanted[USERS][0]["rawResponse"] = rows[USERS][0]["rawResponse"]
    site.expect(wanted)
    site.sweep_again()


def test_one_policy_file_only(site: Site) -> None:
    """Without a tenant column, a second policy file is refused before anything is read."""
    site.config.write_policy("lodging", "360 days")
    site.config.write_policy("other", "2 days")
    site.load(user("old", ALL_DUE))
    with site.worker() as worker, pytest.raises(ConfigurationError, match="exactly one"):
        sweep(worker)


def test_small_batches_leave_the_same(site: Site) -> None:
    """However few accounts a batch takes, the same rows are left."""
    site.config.write_policy("lodging", "360 days", "90 days")
    names = {f"u{number}" for number in range(9)}
    rows = merged([user(name, ALL_DUE) for name in sorted(names)])
    site.load(rows)
    assert site.sweep(batch_max_accounts=2)["lodging", Scope.ALL].accounts == 9
    site.expect(erased(rows, names, everything=True))
    site.sweep_again(batch_max_accounts=2)
