"""What `doctor` reads: facts of the catalog and the server, judged elsewhere."""

from retention_worker.store.examine.facts import (
    Comparison,
    Facts,
    Index,
    Need,
    Privilege,
    Reference,
    Relation,
    Rule,
    Server,
    Trigger,
)
from retention_worker.store.examine.reader import compare, lacking, read

__all__ = [
    "Comparison",
    "Facts",
    "Index",
    "Need",
    "Privilege",
    "Reference",
    "Relation",
    "Rule",
    "Server",
    "Trigger",
    "compare",
    "lacking",
    "read",
]
