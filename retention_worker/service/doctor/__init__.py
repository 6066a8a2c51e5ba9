"""Does the data map fit this database, and is it safe to erase by it."""

from retention_worker.service.doctor.examination import Inspection, examine, inspect
from retention_worker.service.doctor.finding import Finding, Severity
from retention_worker.service.doctor.grants import grants_sql
from retention_worker.service.doctor.mending import mending_sql

__all__ = [
    "Finding",
    "Inspection",
    "Severity",
    "examine",
    "grants_sql",
    "inspect",
    "mending_sql",
]
