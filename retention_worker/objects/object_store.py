"""What a store of objects can do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from retention_worker.domain.objects.object import StoreAnswer


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """Answers by key; `down` says why the store could not be asked for the others."""

    verdicts: Mapping[str, StoreAnswer] = field(default_factory=dict)
    down: str | None = None


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

    def to_json(self) -> dict[str, Any]:
        """As `doctor --json` prints it."""
        return asdict(self)

    @property
    def is_versioned(self) -> bool:
        """Whether the bucket keeps, or may keep, versions."""
        return self.versions != "never"


class ObjectStore(Protocol):
    """Deletes objects for good. Used by several threads at once."""

    @property
    def chunk(self) -> int:
        """How many keys one call of `delete` should get at the most."""

    def open(self) -> None:
        """Connect and learn what has to be known before the first deletion.

        Raises:
            StoreDown: it cannot be asked.
        """

    def delete(self, keys: Sequence[str]) -> Deleted:
        """Delete objects with everything that the store keeps of them; never raises."""

    def spellings(self, uri: str) -> Collection[str]:
        """The ways to name the object of a URI, itself among them."""

    def there(self, keys: Sequence[str]) -> Collection[str]:
        """Which of the objects the store still has, in any version.

        Raises:
            StoreDown: it cannot be asked.
        """

    def inspect(self, name: str) -> StoreInspection:
        """What is known of it, without changing anything in it; never raises."""
