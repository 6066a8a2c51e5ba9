"""The rows of one account in the reference schema, drawn from a random generator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

Row = tuple[Any, ...]

# Every table that is filled, parents before children, and the columns in the order of a row.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "public.tenants": ("id", "name", "created_at"),
    "public.accounts": ("id", "tenant_id", "external_ref", "created_at", "last_activity_at"),
    "public.transactions": (
        "id", "tenant_id", "account_id", "created_at", "completed_at",
        "country", "document_type", "status", "decision",
    ),
    "public.images": ("id", "transaction_id", "kind", "object_uri", "created_at"),
    "public.extracted_data": ("transaction_id", "field", "value", "created_at"),
    "public.face_vectors": ("transaction_id", "model", "embedding", "created_at"),
    "public.face_templates": ("transaction_id", "template", "created_at"),
    "public.verification_results": ("transaction_id", "check_name", "outcome", "created_at"),
    "public.authentications": ("id", "account_id", "succeeded", "created_at"),
    "public.authentication_vectors": ("account_id", "embedding", "created_at"),
}  # fmt: skip

CREDENTIAL_KINDS = ("SELFIE", "ID_FRONT", "ID_BACK")
_COUNTRIES = ("DE", "FR", "IT", "NL", "PL", "SE")
_DOCUMENTS = ("PASSPORT", "ID_CARD", "DRIVING_LICENCE")
# Invented people; a pair of lists gives a few hundred names.
_GIVEN = ("Alva", "Bodil", "Corin", "Dara", "Elio", "Fenja", "Goran", "Hilde", "Ismar", "Jorun")
_FAMILY = ("Abendrot", "Birkvold", "Castelin", "Dunmoor", "Eskeland", "Farnholt", "Grauwald")
_CHECKS = ("document_authenticity", "face_match", "liveness")
_YEAR = timedelta(days=365)


@dataclass(frozen=True, kw_only=True)
class AccountSpec:
    """What one account looks like.

    Everything of it happened at `last_activity` or earlier. `images` are the kinds a transaction
    has, `authentications` successful ones with a vector each, `pending` how many of the
    transactions (the last ones) are still in progress. `store` is what the URIs of the images
    begin with.
    """

    tenant: str
    last_activity: datetime
    transactions: int = 1
    images: tuple[str, ...] = (*CREDENTIAL_KINDS, "AUDIT")
    biometrics: bool = True
    extracted: bool = True
    authentications: int = 1
    pending: int = 0
    vector_bytes: int = 512  # 128 dimensions of float4
    store: str = "s3://sample-images/"

    def __post_init__(self) -> None:
        if self.last_activity.tzinfo is None:
            raise ValueError("last_activity: write an aware time")


@dataclass(kw_only=True)
class AccountRows:
    """The rows of one account by table, and the ids that were drawn for it."""

    id: UUID
    transactions: list[UUID] = field(default_factory=list)
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, table: str, *row: Any) -> None:
        """Add a row, its values in the order of COLUMNS."""
        self.tables.setdefault(f"public.{table}", []).append(row)


def account_rows(random: Random, spec: AccountSpec, account_id: UUID | None = None) -> AccountRows:
    """Draw an account: same generator state and spec, same rows. The id is drawn if not given."""
    account = AccountRows(id=account_id or _uuid(random))
    moments = sorted(_moments(random, spec))
    created = moments[0] if moments else spec.last_activity - _YEAR
    reference = f"customer-{random.getrandbits(40):010x}"
    account.add("accounts", account.id, spec.tenant, reference, created, spec.last_activity)
    for number, at in enumerate(moments):
        _add_transaction(
            random, account, spec, at, pending=number >= spec.transactions - spec.pending
        )
    for _ in range(spec.authentications):
        at = spec.last_activity
        account.add("authentications", _uuid(random), account.id, True, at)
        if spec.biometrics:
            vector = random.randbytes(spec.vector_bytes)
            account.add("authentication_vectors", account.id, vector, at)
    return account


def _moments(random: Random, spec: AccountSpec) -> Iterator[datetime]:
    # The latest transaction is the last activity; the others lie within the year before it.
    for number in range(spec.transactions):
        back = timedelta(seconds=random.randrange(1, 365 * 86_400)) if number else timedelta()
        yield spec.last_activity - back


def _add_transaction(
    random: Random, account: AccountRows, spec: AccountSpec, at: datetime, *, pending: bool
) -> None:
    id_ = _uuid(random)
    account.transactions.append(id_)
    whence = (random.choice(_COUNTRIES), random.choice(_DOCUMENTS))
    if pending:
        account.add(
            "transactions", id_, spec.tenant, account.id, at, None, *whence, "PENDING", None
        )
    else:
        decision = "REJECTED" if random.random() < 0.1 else "ACCEPTED"
        account.add("transactions", id_, spec.tenant, account.id, at, at, *whence, "DONE", decision)
    for kind in spec.images:
        uri = f"{spec.store}{spec.tenant}/{id_}/{kind.lower()}.jpg"
        account.add("images", _uuid(random), id_, kind, uri, at)
    for name, value in _fields(random) if spec.extracted else ():
        account.add("extracted_data", id_, name, value, at)
    if spec.biometrics:
        for model in ("selfie-v2", "document-v2"):
            account.add("face_vectors", id_, model, random.randbytes(spec.vector_bytes), at)
        account.add("face_templates", id_, random.randbytes(spec.vector_bytes), at)
    for check in _CHECKS if not pending else ():
        outcome = "FAILED" if random.random() < 0.05 else "PASSED"
        account.add("verification_results", id_, check, outcome, at)


def _fields(random: Random) -> Iterator[tuple[str, str]]:
    yield "full_name", f"{random.choice(_GIVEN)} {random.choice(_FAMILY)}"
    yield "date_of_birth", f"{random.randrange(1940, 2006)}-01-{random.randrange(1, 29):02}"
    yield "document_number", f"X{random.randrange(10**8):08}"


def _uuid(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)
