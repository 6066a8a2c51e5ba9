"""What `doctor` says of the stores that hold the objects: reachable, versioned, locked, allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event

from retention_worker.clock import monotonic
from retention_worker.domain.objects.uri import shown
from retention_worker.objects import ObjectStores
from retention_worker.objects.object_store import StoreInspection
from retention_worker.objects.throttle import Throttle
from retention_worker.service.checks.finding import Finding, warn
from retention_worker.settings import WorkerSettings


def inspect(stores: Sequence[str], settings: WorkerSettings) -> list[StoreInspection]:
    """Look at each store; a name that is none of ours says so."""
    opened = ObjectStores(
        timeout=min(settings.object_timeout_seconds, 5),  # a person waits for the answer
        connections=1,
        files_root=settings.object_files_root,
        throttle=Throttle(settings.object_rate, monotonic, Event().wait),
    )
    return [
        StoreInspection(store=shown(name), error="no store for such URIs")
        if (store := opened.get(name)) is None
        else store.inspect(name)
        for name in stores
    ]


def warnings_of(found: Sequence[StoreInspection]) -> Iterator[Finding]:
    """What of it a person should look at; rows are erased all the same."""
    for each in found:
        subject = each.store
        if each.error is not None:
            yield warn(
                "objects",
                subject,
                f"cannot be asked ({each.error}): its objects stay queued until it can",
            )
            continue
        if each.object_lock.startswith("on"):
            yield warn(
                "objects",
                subject,
                f"has Object Lock ({each.object_lock}): objects under a lock are denied until it "
                "ends, and asked for again each day",
            )
        if each.versions not in {"never", "Enabled", "Suspended"}:
            yield warn(
                "objects",
                subject,
                f"does not say whether it keeps versions ({each.versions}): grant "
                "s3:GetBucketVersioning, or versions are looked for with each object",
            )
        if each.is_versioned and each.may_list_versions != "yes":
            yield _missing(subject, "s3:ListBucketVersions", each.may_list_versions)
        if each.is_versioned and each.may_delete_versions not in {"yes", "unknown"}:
            yield _missing(subject, "s3:DeleteObjectVersion", each.may_delete_versions)
        if each.may_delete not in {"yes", "unknown"}:
            yield _missing(subject, "s3:DeleteObject", each.may_delete)


def _missing(subject: str, right: str, code: str) -> Finding:
    return warn("objects", subject, f"may not be emptied ({code}): grant {right}")
