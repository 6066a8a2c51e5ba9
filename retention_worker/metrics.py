"""The numbers that /metrics shows: of the process, never of a person, and no tenant as a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = [
    "CONTENT_TYPE",
    "DELETIONS",
    "DELETIONS_IN_HAND",
    "HTTP_IN_HAND",
    "HTTP_REQUESTS",
    "HTTP_SECONDS",
    "REGISTRY",
    "TOKENS",
    "exposition",
]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REGISTRY = CollectorRegistry()

HTTP_REQUESTS = Counter(
    "retention_http_requests_total",
    "Requests answered, by method, route and status.",
    ("method", "route", "status"),
    registry=REGISTRY,
)
HTTP_SECONDS = Histogram(
    "retention_http_request_seconds",
    "Seconds from a request to the end of its answer, by route.",
    ("route",),
    # Around the promise that reads keep: a tenth of a second.
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=REGISTRY,
)
HTTP_IN_HAND = Gauge(
    "retention_http_requests_in_hand", "Requests that are not answered yet.", registry=REGISTRY
)
TOKENS = Counter(
    "retention_tokens_total",
    "Access tokens asked for, by what became of it: issued, refused, limited.",
    ("outcome",),
    registry=REGISTRY,
)
DELETIONS = Counter(
    "retention_deletions_total",
    "Deletions answered, by scope and outcome: complete, pending, refused.",
    ("scope", "outcome"),
    registry=REGISTRY,
)
DELETIONS_IN_HAND = Gauge(
    "retention_deletions_in_hand",
    "Deletions that this process is erasing, or is about to.",
    registry=REGISTRY,
)


def exposition() -> bytes:
    """The text that Prometheus reads."""
    return generate_latest(REGISTRY)
