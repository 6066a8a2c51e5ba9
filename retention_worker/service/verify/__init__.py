"""Independent proof that what was due is gone and nothing else: shares no query with the sweep."""

from retention_worker.service.verify.examination import Progress, verify

__all__ = ["Progress", "verify"]
