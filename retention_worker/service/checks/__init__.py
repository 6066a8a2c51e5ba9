"""Does the data map fit this database, and is it safe to erase by it: one check a function."""

from retention_worker.service.checks.examination import MapInspection, examine, inspect
from retention_worker.service.checks.finding import Finding, Severity

__all__ = ["Finding", "MapInspection", "Severity", "examine", "inspect"]
