"""What a store of objects can do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from retention_worker.domain.objects.object import StoreAnswer


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """Answers by key; `down` says why the store could not be asked for the others."""

    verdicts: Mapping[str, StoreAnswer] = field(default_factory=dict)
    down: str | None = None


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
