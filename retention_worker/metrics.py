"""The numbers that /metrics shows: of the process, never of a person, and no tenant as a label."""

from __future__ import annotations

from collections.abc import Container
from functools import partial

import prometheus_client
from prometheus_client import CollectorRegistry, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REGISTRY = CollectorRegistry()
Counter = partial(prometheus_client.Counter, registry=REGISTRY)
Gauge = partial(prometheus_client.Gauge, registry=REGISTRY)
Histogram = partial(prometheus_client.Histogram, registry=REGISTRY)

HTTP_REQUESTS = Counter(
    "retention_http_requests_total",
    "Requests answered, by method, route and status.",
    ("method", "route", "status"),
)
HTTP_SECONDS = Histogram(
    "retention_http_request_seconds",
    "Seconds from a request to the end of its answer, by route.",
    ("route",),
    # Around the promise that reads keep: a tenth of a second.
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
HTTP_IN_HAND = Gauge("retention_http_requests_in_hand", "Requests that are not answered yet.")
TOKENS = Counter(
    "retention_tokens_total",
    "Access tokens asked for, by what became of it: issued, refused, limited.",
    ("outcome",),
)
DELETIONS = Counter(
    "retention_deletions_total",
    "Deletions answered, by scope and outcome: complete, pending, refused.",
    ("scope", "outcome"),
)
DELETIONS_IN_HAND = Gauge(
    "retention_deletions_in_hand", "Deletions that this process is erasing, or is about to."
)
SWEEPS = Counter("retention_sweeps_total", "Sweeps, by their exit code.", ("exit",))
LAST_SWEEP = Gauge(
    "retention_last_sweep_timestamp_seconds",
    "When the last sweep ended that did not fail (Unix time).",
)
LANES = Gauge("retention_lanes", "Lanes of the last sweep, by why they ended.", ("stop_reason",))
NOT_ERASED = Gauge(
    "retention_accounts_not_erased",
    "Due accounts that the last sweep could not erase, by scope: somebody has to look.",
    ("scope",),
)
REQUESTS_UNFINISHED = Gauge(
    "retention_requests_unfinished", "Requests that the last sweep could not finish."
)
HOLDS_ASTRAY = Gauge(
    "retention_holds_astray",
    "Holds that lost their account or a part of it, as of the last sweep: a person decides.",
)
WARNINGS = Gauge(
    "retention_warnings",
    "Warnings of the last sweep, by code: what is not as it seems though nothing has failed.",
    ("code",),
)
ROWS_ERASED = Counter(
    "retention_rows_erased_total", "Rows that sweeps erased, by scope.", ("scope",)
)
OBJECTS = Gauge(
    "retention_objects",
    "Objects whose rows are gone and that are not deleted, by state; as of the last drain.",
    ("state",),
)
OBJECTS_DELETED = Counter("retention_objects_deleted_total", "Objects noted as gone.")
OBJECT_STORE_DOWN = Gauge(
    "retention_object_store_down",
    "1: the last drain could not ask this store; 0: it could.",
    ("store",),
)


def stores_down(down: Container[str]) -> None:
    """Which of the stores that were ever asked are down.

    One that has nothing to do is not: another process may have asked it since.
    """
    for metric in OBJECT_STORE_DOWN.collect():
        for sample in metric.samples:
            store = sample.labels["store"]
            OBJECT_STORE_DOWN.labels(store).set(store in down)


def exposition() -> bytes:
    """The text that Prometheus reads."""
    return generate_latest(REGISTRY)
