"""The ledger as people use it: export it, check it, prove one erasure."""

from retention_worker.service.ledger.exporting import Exported, export, export_after_sweep
from retention_worker.service.ledger.receipts import CheckedReceipt, check_receipt, issue
from retention_worker.service.ledger.verify import Verified, verify

__all__ = [
    "CheckedReceipt",
    "Exported",
    "Verified",
    "check_receipt",
    "export",
    "export_after_sweep",
    "issue",
    "verify",
]
