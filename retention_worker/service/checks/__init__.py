"""Does the data map fit this database, and is it safe to erase by it: one check a function."""

from retention_worker.service.checks.examination import Inspection, examine, inspect
from retention_worker.service.checks.finding import Finding, Severity

__all__ = ["Finding", "Inspection", "Severity", "examine", "inspect"]
