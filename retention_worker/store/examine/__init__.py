"""What `doctor` reads: facts of the catalog and the server, judged elsewhere."""

from retention_worker.store.examine.facts import (
    Comparison,
    Facts,
    Index,
    Need,
    Privilege,
    Reference,
    Relation,
    RewriteRule,
    Server,
    Trigger,
)
from retention_worker.store.examine.reader import compare, lacking, read
from retention_worker.store.examine.samples import (
    OddActivity,
    TooSlow,
    ahead,
    explain,
    left_out,
    odd_activity,
    refused_blanks,
    unclaimed,
    unreachable,
)
from retention_worker.store.examine.surroundings import OtherTable, Surroundings, look_around

__all__ = [
    "Comparison",
    "Facts",
    "Index",
    "Need",
    "OddActivity",
    "OtherTable",
    "Privilege",
    "Reference",
    "Relation",
    "RewriteRule",
    "Server",
    "Surroundings",
    "TooSlow",
    "Trigger",
    "ahead",
    "compare",
    "explain",
    "lacking",
    "left_out",
    "look_around",
    "odd_activity",
    "read",
    "refused_blanks",
    "unclaimed",
    "unreachable",
]
