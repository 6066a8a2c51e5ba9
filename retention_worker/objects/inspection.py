"""Looks at a store without changing anything in it: what `doctor` says of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from retention_worker.domain.errors import StoreDown
from retention_worker.objects.s3 import client, code_of

# What says that a bucket has no such configuration, and no error.
_NONE = frozenset(
    {
        "NoSuchLifecycleConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "NotImplemented",
        "NoSuchObjectLockConfiguration",
    }
)


@dataclass(frozen=True, kw_only=True)
class StoreInspection:
    """What is known of a store; a text that is no yes or no is the error of asking.

    `error` None: it can be reached. The rights were tried on a key that does not exist, so that
    nothing changed: `may_delete`, `may_list_versions`, `may_delete_versions` are `yes` or the
    store's code.
    """

    store: str
    error: str | None = None
    versions: str = "unknown"
    object_lock: str = "unknown"
    lifecycle: str = "unknown"
    may_delete: str = "unknown"
    may_list_versions: str = "unknown"
    may_delete_versions: str = "unknown"

    @property
    def is_versioned(self) -> bool:
        """Whether the bucket keeps, or may keep, versions."""
        return self.versions != "never"


def inspect_bucket(store: str, bucket: str, *, timeout: int) -> StoreInspection:
    """Ask a bucket what it is, and what we may do."""
    try:
        s3 = client(timeout=timeout, connections=1)
        s3.head_bucket(Bucket=bucket)
    except (StoreDown, BotoCoreError) as exc:
        return StoreInspection(
            store=store, error=str(exc) if isinstance(exc, StoreDown) else type(exc).__name__
        )
    except ClientError as exc:
        # 403: there is such a bucket, and listing it is not what we need.
        if code_of(exc) not in {"403", "AccessDenied"}:
            return StoreInspection(store=store, error=code_of(exc))
    return _Questions(s3, bucket).inspection(store)


class _Questions:
    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._probe = f"retention-worker-doctor/{uuid4()}"

    def inspection(self, store: str) -> StoreInspection:
        versions = self._asked("get_bucket_versioning", "Status", "never")
        return StoreInspection(
            store=store,
            versions=versions,
            object_lock=self._lock(),
            lifecycle=self._lifecycle(),
            # On a bucket with versions a plain deletion would leave a marker behind.
            may_delete=self._may("delete_object", Key=self._probe)
            if versions == "never"
            else "unknown",
            may_list_versions=self._may("list_object_versions", Prefix=self._probe, MaxKeys=1),
            may_delete_versions=self._may("delete_object", Key=self._probe, VersionId="null"),
        )

    def _call(self, operation: str, **arguments: Any) -> Any:
        return getattr(self._s3, operation)(Bucket=self._bucket, **arguments)

    def _asked(self, operation: str, key: str, missing: str) -> str:
        try:
            return str(self._call(operation).get(key) or missing)
        except ClientError as exc:
            return missing if code_of(exc) in _NONE else code_of(exc)
        except BotoCoreError as exc:
            return type(exc).__name__

    def _lock(self) -> str:
        try:
            found = self._call("get_object_lock_configuration")["ObjectLockConfiguration"]
        except ClientError as exc:
            return "off" if code_of(exc) in _NONE else code_of(exc)
        except BotoCoreError as exc:
            return type(exc).__name__
        rule = found.get("Rule", {}).get("DefaultRetention")
        if not rule:
            return "on, no default"
        length = f"{rule['Days']} days" if "Days" in rule else f"{rule.get('Years')} years"
        return f"on, {rule.get('Mode')} for {length}"

    def _lifecycle(self) -> str:
        try:
            rules = self._call("get_bucket_lifecycle_configuration").get("Rules", [])
        except ClientError as exc:
            return "none" if code_of(exc) in _NONE else code_of(exc)
        except BotoCoreError as exc:
            return type(exc).__name__
        active = [rule for rule in rules if rule.get("Status") == "Enabled"]
        return f"{len(active)} rule(s)" if active else "none"

    def _may(self, operation: str, **arguments: Any) -> str:
        try:
            self._call(operation, **arguments)
        except ClientError as exc:
            gone = code_of(exc) in {"NoSuchKey", "NoSuchVersion", "404"}
            return "yes" if gone else code_of(exc)
        except BotoCoreError as exc:
            return type(exc).__name__
        return "yes"
