"""The command `doctor`: every check, the stores, a try in earnest, and the SQL that mends."""

from retention_worker.service.doctor.grants import grants_sql
from retention_worker.service.doctor.mending import mending_sql

__all__ = ["grants_sql", "mending_sql"]
