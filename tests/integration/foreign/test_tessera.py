"""Tenants whose ids repeat: the same member, check and photo numbers in each of them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from tests.integration.foreign.conftest import NOW
from tests.integration.foreign.site import (
    HERE,
    Row,
    Rows,
    Site,
    changed,
    merged,
    site_of,
    template_of,
    without,
)
from tests.server import Server

PRODUCT = "tessera"
MEMBERS, CHECKS, PHOTOS = "public.members", "public.checks", "public.photos"
VOICES = "public.voice_prints"
DUE = NOW - timedelta(days=60)
MICROSECOND = timedelta(microseconds=1)
BY_NUMBER = (HERE / PRODUCT / "datamap.yaml").read_text("utf-8")
COMPOSITE = (
    BY_NUMBER.replace("id: id", "id: [org_id, id]")
    .replace("id: key", "id: [org_id, key]")
    .replace("account: member_id", "account: [org_id, member_id]")
    .replace("key: member_id", "key: [org_id, member_id]")
    .replace("key: check_id", "key: [org_id, check_id]")
    .replace("key: key", "key: [org_id, key]")
)
BY_UUID = BY_NUMBER.replace("org_id", "org_uid")


def uid(org: int) -> UUID:
    """The tenant's other name."""
    return UUID(int=org)


def org(number: int, members: dict[int, datetime | None], checks: int = 2) -> Rows:
    """A tenant with these members; each has `checks` checks of two photos, and a voice print."""
    tenant: Row = {"org_id": number, "org_uid": uid(number)}
    rows: Rows = {
        "public.orgs": [{"id": number, "uid": uid(number), "name": f"org {number}"}],
        MEMBERS: [{**tenant, "id": each, "last_active": at} for each, at in members.items()],
        VOICES: [{**tenant, "member_id": each, "print": b"\x00v"} for each in members],
        CHECKS: [],
        PHOTOS: [],
    }
    for index, member in enumerate(each for each in members for _ in range(checks)):
        check = {"key": index, "member_id": member, "outcome": "PASS", "mrz": f"P<{index}"}
        rows[CHECKS].append({**tenant, **check})
        for half in range(2):
            photo = {"id": index * 2 + half, "check_id": index, "path": f"{index}/{half}.jpg"}
            rows[PHOTOS].append({**tenant, **photo, "pixels": b"\xff\xd8"})
    return rows


def erased(rows: Rows, members: set[tuple[int, int]], scope: Scope = Scope.ALL) -> Rows:
    """What should be there after these (tenant, member) were erased."""

    def gone(row: Row) -> bool:
        return (row["org_id"], row["member_id"]) in members

    left = without(rows, VOICES, gone)
    if scope is Scope.BIOMETRICS:
        return left
    theirs = {(row["org_id"], row["key"]) for row in rows[CHECKS] if gone(row)}
    left = changed(left, CHECKS, lambda row: row | {"mrz": None}, gone)
    return changed(
        left,
        PHOTOS,
        lambda row: row | {"path": None, "pixels": b""},
        lambda row: (row["org_id"], row["check_id"]) in theirs,
    )


@pytest.fixture(scope="module", params=["numbers", "composite", "uuids"])
def variant(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, str]]:
    """The same tables mapped three ways: its name, a template with its grants, the map."""
    chosen = {"numbers": BY_NUMBER, "composite": COMPOSITE, "uuids": BY_UUID}[request.param]
    schema = (HERE / PRODUCT / "schema.sql").read_text("utf-8")
    with template_of(server, tmp_path_factory.mktemp(PRODUCT), schema, chosen) as name:
        yield request.param, name, chosen


@pytest.fixture
def mapped(server: Server, variant: tuple[str, str, str], tmp_path: Path) -> Iterator[Site]:
    """A copy of the product under one of the maps."""
    _, template, chosen = variant
    with site_of(server, template, tmp_path, chosen, NOW) as found:
        yield found


def account(name: str, number: int, member: int) -> str:
    """The account's id in the ledger: a JSON array where it is composite."""
    return f'["{number}", "{member}"]' if name == "composite" else str(member)


def test_the_same_numbers_in_every_tenant(mapped: Site, variant: tuple[str, str, str]) -> None:
    """Only the tenant's own rows go, though two others have rows of the very same numbers."""
    name = variant[0]

    def tenant(number: int) -> str:
        return str(uid(number)) if name == "uuids" else str(number)

    mapped.config.write_policy("north", "60 days", tenant_id=tenant(1))
    mapped.config.write_policy("south", "90 days", "60 days", tenant_id=tenant(2))
    times = {1: DUE - MICROSECOND, 2: DUE, 3: DUE + MICROSECOND, 4: None}
    rows = merged([org(number, times) for number in (1, 2, 3)])
    mapped.load(rows)

    lanes = mapped.sweep()

    assert lanes["north", Scope.ALL].accounts == 2
    assert lanes["south", Scope.BIOMETRICS].accounts == 2
    assert lanes["south", Scope.ALL].accounts == 0
    both = {(1, 1), (1, 2)}
    wanted = erased(erased(rows, both), {(2, 1), (2, 2)}, Scope.BIOMETRICS)
    mapped.expect(wanted)
    assert mapped.uris() == sorted(
        (
            tenant(1),
            account(name, 1, member),
            f"file:///srv/{tenant(1)}/{account(name, 1, member)}/{check}/{half}.jpg",
        )
        for member in (1, 2)
        for check in (member * 2 - 2, member * 2 - 1)
        for half in range(2)
    )
    mapped.sweep_again()

    mapped.clock.forward(microseconds=1)
    assert mapped.sweep()["north", Scope.ALL].accounts == 1
    wanted = erased(erased(wanted, {(1, 3)}), {(2, 3)}, Scope.BIOMETRICS)
    mapped.expect(wanted)

    mapped.clock.forward(days=30)
    assert mapped.sweep()["south", Scope.ALL].accounts == 3
    mapped.expect(erased(wanted, {(2, 1), (2, 2), (2, 3)}))
    assert all(row["org_id"] in (1, 2) for row in wanted[PHOTOS] if row["path"] is None)
    mapped.sweep_again()


def test_an_account_larger_than_a_batch(mapped: Site, variant: tuple[str, str, str]) -> None:
    """Many checks go in parts, by a key column that is called `key`; one row says complete.

    The same member of another tenant has as many, and keeps them.
    """
    name = variant[0]
    tenant = str(uid(1)) if name == "uuids" else "1"
    mapped.config.write_policy("north", "60 days", tenant_id=tenant)
    rows = merged([org(number, {7: DUE, 8: DUE}, checks=11) for number in (1, 2)])
    mapped.load(rows)
    lane = mapped.sweep(batch_max_transactions=4)["north", Scope.ALL]
    assert (lane.accounts, lane.objects_queued) == (2, 44)
    wanted = erased(rows, {(1, 7), (1, 8)})
    mapped.expect(wanted)
    marks = mapped.erasures()
    for member in (7, 8):
        mine = [mark for mark in marks if mark[1] == account(name, 1, member)]
        assert len(mine) == 4
        assert [complete for *_, complete in mine] == [False, False, False, True]
    assert len({uri for _, _, uri in mapped.uris()}) == 44
    mapped.sweep_again(batch_max_transactions=4)


def test_a_tenant_id_of_the_wrong_type_stops_nobody(
    mapped: Site, variant: tuple[str, str, str]
) -> None:
    """A file without tenant_id stands for its name, which is no number: the file is wrong.

    That is said of it, and the others are planned and erased as ever.
    """
    tenant = str(uid(1)) if variant[0] == "uuids" else "1"
    mapped.config.write_policy("north", "60 days", tenant_id=tenant)
    mapped.config.write_policy("south", "60 days")
    mapped.config.write_policy("west", "60 days", tenant_id="99999999999999999999")
    mapped.config.write_policy("east", "60 days", tenant_id="1; --")
    rows = merged([org(number, {1: DUE}) for number in (1, 2)])
    mapped.load(rows)
    lanes = mapped.sweep()
    assert {name: lane.accounts for (name, _), lane in lanes.items()} == {
        "north": 1,
        "south": 0,
        "west": 0,
        "east": 0,
    }
    for name in ("south", "west", "east"):
        lane = lanes[name, None]
        assert lane.stop_reason is StopReason.INVALID_POLICY
        assert f"{name}.yaml:1:1: tenant_id: is no value" in str(lane.reason)
    mapped.expect(erased(rows, {(1, 1)}))
