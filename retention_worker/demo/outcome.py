"""Sections 6 and 7: what went and what stayed, and whether the promises were kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from retention_worker.demo.scene import Counts, DemoScene
from retention_worker.demo.screen import Screen
from retention_worker.demo.tenants import TENANTS
from retention_worker.demo.traffic import Traffic
from retention_worker.domain.ledger.verification import Verification
from retention_worker.domain.scope import Scope
from retention_worker.service.verify import verify

_IMAGES = "selfies and ID images"
_FIELDS = "extracted fields"
_CREDENTIALS = (_IMAGES, _FIELDS, "face vectors", "face templates", "authentication vectors")
_KEPT = (
    *("accounts", "transactions", "verification results", "authentications"),
    "audit screenshots",
)
# Each transaction of a regular user brought nine rows: 3 images, 3 fields, 2 vectors, a template.
_LOST = """
SELECT min(t.created_at), sum(9
       - (SELECT count(*) FROM images WHERE transaction_id = t.id AND kind <> 'AUDIT')
       - (SELECT count(*) FROM extracted_data WHERE transaction_id = t.id)
       - (SELECT count(*) FROM face_vectors WHERE transaction_id = t.id)
       - (SELECT count(*) FROM face_templates WHERE transaction_id = t.id))
  FROM transactions t WHERE account_id = ANY (%s)
"""
# What the ledger says was erased, by data-map entry, and how many files were deleted.
_LEDGER = """
SELECT key, sum(value::bigint)::bigint FROM retention.batch, jsonb_each_text(counts)
 WHERE source <> 'objects' GROUP BY key
UNION ALL
SELECT 'files', sum(objects)::bigint FROM retention.batch WHERE source = 'objects'
"""

Check = tuple[bool, str, str]
"""Whether a promise was kept, the promise, and the figures."""


def show_what_stayed(scene: DemoScene, screen: Screen) -> None:
    """Show what was stored and what is left, by tenant and kind."""
    screen.section("What went and what stayed")
    left = scene.counts()
    screen.say(
        "Credentials, as rows left/ever stored. The two tenants with a period for biometrics alone "
        "have every image and field."
    )
    _table(scene, screen, left, _CREDENTIALS)
    screen.say(
        "\nKept for good: decision and metadata of every transaction, the result of every check, "
        "that somebody authenticated, and screenshots of the decision that show no person."
    )
    _table(scene, screen, left, _KEPT)


def _table(scene: DemoScene, screen: Screen, left: Counts, kinds: tuple[str, ...]) -> None:
    rows = []
    for tenant, name in TENANTS.items():
        cells = [(left[tenant, kind], scene.stored[tenant, kind]) for kind in kinds]
        rows.append(
            (
                name,
                *(f"[green]all {n:,}[/]" if n == ever else f"{n:,}/{ever:,}" for n, ever in cells),
            )
        )
    screen.table(("tenant", *(kind.replace(" ", "\n", 1) for kind in kinds)), rows)


def show_checks(scene: DemoScene, screen: Screen, traffic: Traffic) -> bool:
    """Print whether each promise was kept, and tell whether all were."""
    screen.section("Check: were the promises kept?")
    screen.say(
        "Asked of `retention-worker verify`, which shares no query with the sweep, and of the rows "
        "and files themselves, held against what the demo had put in.\n"
    )
    gone = scene.pictures - {
        str(path.relative_to(scene.images)) for path in scene.images.rglob("*.jpg")
    }
    left = scene.counts()
    checks = [
        *_of_verify(verify(scene.context)),
        _of_regulars(scene, traffic),
        *_of_kept(scene, left),
        _of_pictures(scene, gone),
        _of_ledger(scene, left, len(gone)),
    ]
    for kept, promise, detail in checks:
        screen.check(kept, promise, detail)
    return all(kept for kept, _, _ in checks)


def _of_verify(found: Verification) -> Iterator[Check]:
    late = sum(lane.overdue + lane.waiting + lane.deferred for lane in found.lanes)
    # Who is past the period of all credentials is past that of biometrics, too.
    lanes = [lane for lane in found.lanes if lane.scope is Scope.BIOMETRICS]
    paused, on_hold = sum(lane.paused for lane in lanes), sum(lane.on_hold for lane in lanes)
    yield (
        not late,
        "What was due is gone.",
        f"past their period with credentials left: {late} accounts "
        f"(besides: {paused} paused, {on_hold} on hold)",
    )
    wrong = [each for each in found.wrong if each.check != "overdue"]
    yield (
        not wrong and found.erasures > 0,
        "Nothing went early.",
        f"erasures looked at: {found.erasures:,}; wrong: {len(wrong)}"
        + "".join(f"; {each.message}" for each in wrong),
    )


def _of_regulars(scene: DemoScene, traffic: Traffic) -> Check:
    oldest, lost = scene.rows(_LOST, list(traffic.faithful))[0]
    return (
        not lost,
        "Who stays active loses nothing.",
        f"{len(traffic.faithful):,} regular users with transactions since {oldest:%b %Y} "
        f"lost {lost} rows",
    )


def _of_kept(scene: DemoScene, left: Counts) -> Iterator[Check]:
    never = {id_ for id_, policy in scene.policies().items() if policy.period(Scope.ALL) is None}
    images = [key for key in scene.stored if key[0] in never and key[1] in (_IMAGES, _FIELDS)]
    here, ever = sum(left[key] for key in images), sum(scene.stored[key] for key in images)
    yield (
        here == ever,
        "Biometrics only means biometrics only.",
        f"{' and '.join(sorted(never))} have {here:,} of {ever:,} images and fields",
    )
    records = [key for key in scene.stored if key[1] in _KEPT]
    here, ever = sum(left[key] for key in records), sum(scene.stored[key] for key in records)
    yield (
        all(left[key] == scene.stored[key] for key in records),
        "Decisions, metadata and results stay.",
        f"{here:,} of {ever:,} rows are there",
    )


def _of_pictures(scene: DemoScene, gone: set[str]) -> Check:
    named = {uri for (uri,) in scene.rows("SELECT object_uri FROM images")}
    astray, missing = len(scene.pictures - gone - named), len(gone & named)
    return (
        bool(gone) and not astray and not missing,
        "The pictures go with their rows.",
        f"files deleted: {len(gone):,}; left without a row: {astray}; "
        f"missing although a row names them: {missing}",
    )


def _of_ledger(scene: DemoScene, left: Counts, files: int) -> Check:
    ledger = dict(scene.rows(_LEDGER))
    gone: Counter[str] = Counter(files=files)
    for (tenant, kind), ever in scene.stored.items():
        gone[kind] += ever - left[tenant, kind]
    return (
        ledger == +gone and gone["files"] == gone[_IMAGES],
        "The ledger tells the truth.",
        f"rows erased, says the ledger: {sum(ledger.values()) - ledger['files']:,}; rows gone, "
        f"table by table: {gone.total() - files:,}",
    )
