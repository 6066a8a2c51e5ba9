"""A receipt: what proves, without a database, that one account or transaction was erased.

It holds the batches that did it and the erasure rows of this one subject; of the other rows of a
batch only the hashes, as many as it takes to compute the batch's own. It proves that the batches
say so. That the batches are the ledger's, an export of the ledger proves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retention_worker.domain.ledger.audit import body_of
from retention_worker.domain.ledger.chain import hash_of
from retention_worker.domain.ledger.erasure import Erasure, digest_of, padded
from retention_worker.domain.objects.object import ObjectCounts

FORMAT = 1
_PROOF = frozenset(
    {
        "erasure",
        "body",
        "hash",
        "previous",
        "rows",
        "place",
        "objects_not_deleted",
        "objects",
        "completions",
    }
)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """An erasure row with what binds it to its batch.

    `rows` are the hashes of all rows of the batch, in order; `place` is this row's in it.
    `objects` was true when the receipt was issued, and no hash
    covers it: an erasure is complete only when its objects are gone. `completions` are the bodies
    and hashes of the batches that say which of the objects are gone that this batch queued.
    """

    erasure: Erasure
    body_text: str
    hash: str
    rows: tuple[str, ...]
    place: int
    objects: ObjectCounts
    completions: tuple[tuple[str, str], ...]

    @property
    def objects_not_deleted(self) -> int:
        """How many of the subject's objects were still there."""
        return sum(self.objects.left.values())

    def to_json(self) -> dict[str, Any]:
        """The proof in the document."""
        body = body_of(self.body_text)
        return {
            "erasure": self.erasure.to_json(),
            "body": self.body_text,
            "hash": self.hash,
            "previous": body["previous"] if body else None,
            "rows": list(self.rows),
            "place": self.place,
            "objects_not_deleted": self.objects_not_deleted,
            "objects": self.objects.to_json(),
            "completions": [{"body": body, "hash": hash_} for body, hash_ in self.completions],
        }

    def wrong(self) -> str | None:
        """What does not fit together, or None."""
        body, row = body_of(self.body_text), self.erasure
        if body is None or hash_of(self.body_text) != self.hash:
            return "the hash is not that of the batch's body"
        if not 0 <= self.place < len(self.rows) or self.rows[self.place] != row.hash:
            return "the erasure row is not the one that was hashed"
        if digest_of(self.rows) != body["erasures"]:
            return "the hashes of the rows are not those of the batch"
        said = (body["batch"], body["tenant"], body["scope"], body["erased_at"])
        if (row.batch, row.tenant, row.scope, padded(row.erased_at)) != said:
            return "the erasure row is not one of this batch"
        return self._wrong_completion(body)

    def _wrong_completion(self, body: Mapping[str, Any]) -> str | None:
        """What is wrong with what is said about its objects, or None."""
        for text, hash_ in self.completions:
            said = body_of(text)
            if said is None or hash_of(text) != hash_:
                return "the hash is not that of the batch that completes it"
            completes = said.get("completes") or {}
            number = completes.get(str(body["batch"])) if isinstance(completes, dict) else None
            if said["tenant"] != body["tenant"] or type(number) is not int:
                return "a batch that completes it is another's"
        return self._wrong_count(body)

    def _wrong_count(self, body: Mapping[str, Any]) -> str | None:
        """What the batches contradict in the counts of its objects, which no hash covers."""
        gone = sum(
            int((body_of(text) or {})["completes"][str(body["batch"])])
            for text in {text for text, _ in self.completions}
        )
        if self.objects.gone > gone:
            return f"it says that {self.objects.gone} objects are gone, and its batches {gone}"
        if len(self.rows) == 1 and body["objects"] and not self.objects.total:
            return f"it says nothing of the batch's {body['objects']} objects"
        return None


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """Everything that the ledger has of one account or transaction."""

    tenant: str
    kind: str
    subject: str
    proofs: tuple[Proof, ...]

    @property
    def objects_not_deleted(self) -> int:
        """How many objects were still there when it was issued."""
        return sum(proof.objects_not_deleted for proof in self.proofs)

    @property
    def objects(self) -> int:
        """How many objects it speaks of."""
        return sum(proof.objects.total for proof in self.proofs)

    @property
    def only_parts(self) -> bool:
        """Whether no erasure in it had come to its end."""
        return not any(proof.erasure.complete for proof in self.proofs)

    def to_json(self) -> dict[str, Any]:
        """The document; its last key is the SHA-256 of everything before it."""
        content = {
            "format": FORMAT,
            "tenant_id": self.tenant,
            "kind": self.kind,
            "id": self.subject,
            "erasures": [proof.to_json() for proof in self.proofs],
        }
        return content | {"receipt": _digest(content)}

    def wrong(self) -> list[str]:
        """What does not fit together, a line each."""
        found = []
        for proof in self.proofs:
            row = proof.erasure
            problem = proof.wrong()
            if problem is None and (row.tenant, row.kind, row.subject) != (
                self.tenant,
                self.kind,
                self.subject,
            ):
                problem = "the erasure row is another's"
            if problem is not None:
                found.append(f"batch {row.batch}: {problem}")
        return found


def text_of(receipt: Receipt) -> str:
    """The text of the document: the one that `read` takes."""
    return json.dumps(receipt.to_json(), indent=2, ensure_ascii=False) + "\n"


def read(text: str) -> Receipt:
    """Read a receipt as it was issued, to the byte.

    Raises:
        ValueError: it is none, or a byte of it was changed.
    """
    try:
        content = json.loads(text)
        receipt = Receipt(
            tenant=content["tenant_id"],
            kind=content["kind"],
            subject=content["id"],
            proofs=tuple(_proof(each) for each in content["erasures"]),
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise ValueError("it is no receipt, or was changed since it was issued") from exc
    if not receipt.proofs or text_of(receipt) != text:
        raise ValueError("it is not as it was issued: something in it was changed")
    return receipt


def _proof(content: Mapping[str, Any]) -> Proof:
    rows = content["rows"]
    if content.keys() != _PROOF or not all(isinstance(each, str) for each in rows):
        raise ValueError("no proof")
    return Proof(
        erasure=Erasure.from_json(content["erasure"]),
        body_text=content["body"],
        hash=content["hash"],
        rows=tuple(rows),
        place=content["place"],
        objects=ObjectCounts.from_json(content["objects"]),
        completions=tuple((each["body"], each["hash"]) for each in content["completions"]),
    )


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
