"""The ledger as JSON Lines: a header, then one line a batch with everything that proves it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from retention_worker.domain.ledger.audit import BatchRow, body_of
from retention_worker.domain.ledger.chain import chain_of
from retention_worker.domain.ledger.erasure import Erasure
from retention_worker.domain.ledger.rowcheck import Written

FORMAT = 1
HEADER = json.dumps({"format": FORMAT, "what": "ledger of retention-worker"}) + "\n"


@dataclass(frozen=True, kw_only=True)
class ExportLine:
    """A batch in an export: its body as it was hashed, and its erasure rows in order of id.

    `transactions` are those of the accounts that it erased; no hash is over them.
    """

    body_text: str
    body: dict[str, Any]
    hash: str
    erasures: tuple[Erasure, ...]
    transactions: tuple[str, ...] = ()

    @property
    def batch(self) -> int:
        """Its number."""
        return int(self.body["batch"])

    @property
    def chain(self) -> str:
        """The name of its chain."""
        return chain_of(self.body)

    def row(self) -> BatchRow:
        """The batch as an audit takes it."""
        written = (Written(erasure=each, line_hash=each.hash) for each in self.erasures)
        return BatchRow(
            id=self.batch,
            body=self.body_text,
            hash=self.hash,
            columns=None,
            rows=tuple(written),
        )


def line_of(row: BatchRow, chain: str, transactions: Sequence[str] = ()) -> str:
    """The line of a batch, with its line break; `transactions` of the accounts that it erased."""
    content: dict[str, Any] = {
        "chain": chain,
        "batch": row.id,
        "hash": row.hash,
        "body": row.body,
        "erasures": [each.erasure.to_json() for each in row.rows],
    }
    if transactions:
        content["transactions"] = list(transactions)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


def read_line(text: str) -> ExportLine:
    """Read a line; its hashes are not looked at.

    Raises:
        ValueError: it is no line of an export.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or not isinstance(content.get("body"), str):
        raise ValueError("not a batch")
    body, hash_ = body_of(content["body"]), content.get("hash")
    rows = content.get("erasures")
    if body is None or not isinstance(hash_, str) or not isinstance(rows, list):
        raise ValueError("not a batch")
    if content.get("chain") != chain_of(body) or content.get("batch") != body["batch"]:
        raise ValueError("its body is another batch's")
    return ExportLine(
        body_text=content["body"],
        body=body,
        hash=hash_,
        erasures=tuple(Erasure.from_json(each) for each in rows),
        transactions=tuple(map(str, content.get("transactions") or ())),
    )
