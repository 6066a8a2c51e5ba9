"""Section 7: were the promises kept? The worker itself is not asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from retention_worker.demo.book import AUDIT, CREDENTIALS, RETAINED
from retention_worker.demo.counts import erased_by_ledger, left_by_kind, overdue
from retention_worker.demo.play import Play
from retention_worker.demo.tenants import TENANTS
from retention_worker.demo.traffic import Traffic

_IMAGES = "selfies and ID images"
_FIELDS = "extracted fields"
_DELETED = "SELECT sum(objects) FROM retention.batch WHERE source = 'objects'"
_OLDEST = "SELECT min(created_at) FROM transactions WHERE account_id = ANY (%s)"


@dataclass(frozen=True, kw_only=True)
class Check:
    """A promise, whether it was kept, and the figures."""

    promise: str
    kept: bool
    detail: str


def show_checks(play: Play, traffic: Traffic) -> bool:
    """Print the outcome of each check; whether all passed."""
    play.screen.section("Check: were the promises kept?")
    play.screen.say(
        "Asked of the database by queries that share nothing with the sweep's, and of the demo's "
        "own record of who was active when, against which it held every account after every "
        "sweep.\n"
    )
    checks = check_all(play, traffic)
    for each in checks:
        play.screen.check(each.kept, each.promise, each.detail)
    return all(each.kept for each in checks)


def check_all(play: Play, traffic: Traffic) -> list[Check]:
    """All checks, of the database as it is now."""
    left = left_by_kind(play.scene)
    return [
        _nothing_overdue(play),
        _nothing_early(play),
        _regulars_lost_nothing(play, traffic),
        _images_stay(play, left),
        _records_stay(play, left),
        _files_are_gone(play),
        _ledger_agrees(play, left),
    ]


def _nothing_overdue(play: Play) -> Check:
    late = {tenant.name: overdue(play.scene, tenant) for tenant in TENANTS.values()}
    paused = sum(len(late.pop(tenant.name)) for tenant in TENANTS.values() if tenant.paused)
    found = set().union(*late.values())
    on_hold = found & play.book.holds
    return Check(
        promise="What was due is gone.",
        kept=not found - on_hold,
        detail=f"past their period with credentials left: {len(found - on_hold)} accounts "
        f"(besides: {paused} paused, {len(on_hold)} on hold)",
    )


def _nothing_early(play: Play) -> Check:
    faults = play.book.faults
    detail = (
        f"erasures seen: {play.book.gone:,}; too early, in part, on hold or paused: {len(faults)}"
    )
    return Check(
        promise="Nothing went early.",
        kept=not faults and play.book.gone > 0,
        detail=f"{detail}: {faults[0]}" if faults else detail,
    )


def _regulars_lost_nothing(play: Play, traffic: Traffic) -> Check:
    accounts = play.book.accounts
    lost = sum(accounts[name].lost.total() for name in traffic.faithful)
    oldest = play.scene.rows(_OLDEST, list(traffic.faithful))[0][0]
    return Check(
        promise="Who stays active loses nothing.",
        kept=lost == 0,
        detail=f"{len(traffic.faithful):,} regular users with transactions since {oldest:%b %Y} "
        f"lost {lost} rows",
    )


def _images_stay(play: Play, left: Mapping[tuple[str, str], int]) -> Check:
    tenants = [tenant for tenant in TENANTS.values() if tenant.everything is None]
    keys = [(tenant.id, kind) for tenant in tenants for kind in (_IMAGES, _FIELDS)]
    stored, found = _totals(play, left, lambda key: key in keys)
    names = " and ".join(tenant.name for tenant in tenants)
    return Check(
        promise="Biometrics only means biometrics only.",
        kept=stored == found,
        detail=f"{names} have {found.total():,} of {stored.total():,} images and fields",
    )


def _records_stay(play: Play, left: Mapping[tuple[str, str], int]) -> Check:
    kinds = {"accounts", AUDIT, *RETAINED.values()}
    stored, found = _totals(play, left, lambda key: key[1] in kinds)
    return Check(
        promise="Decisions, metadata and results stay.",
        kept=stored == found,
        detail=f"{found.total():,} of {stored.total():,} rows are there",
    )


def _files_are_gone(play: Play) -> Check:
    without_a_row, missing = play.pictures.astray()
    return Check(
        promise="The pictures go with their rows.",
        kept=not without_a_row and not missing and play.pictures.gone > 0,
        detail=f"files deleted: {play.pictures.gone:,}; left without a row: {without_a_row}; "
        f"missing although a row names them: {missing}",
    )


def _ledger_agrees(play: Play, left: Mapping[tuple[str, str], int]) -> Check:
    ledger = Counter(erased_by_ledger(play.scene))
    gone: Counter[str] = Counter()
    for kind, _ in CREDENTIALS.values():
        for tenant in TENANTS:
            gone[kind] += play.book.stored[tenant, kind] - left.get((tenant, kind), 0)
    deleted = play.scene.number(_DELETED)
    return Check(
        promise="The ledger tells the truth.",
        kept=ledger == gone and deleted == gone[_IMAGES] == play.pictures.gone,
        detail=f"rows erased, says the ledger: {ledger.total():,}; rows gone, table by table: "
        f"{gone.total():,}",
    )


def _totals(
    play: Play,
    left: Mapping[tuple[str, str], int],
    chosen: Callable[[tuple[str, str]], bool],
) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    stored = Counter({key: rows for key, rows in play.book.stored.items() if chosen(key)})
    found = Counter({key: rows for key, rows in left.items() if chosen(key)})
    return stored, found
