"""The reference schema and its sample data: what the demo, the tests and the benchmarks run on."""

from importlib.resources import files

__all__ = ["reference_schema"]


def reference_schema() -> str:
    """The SQL that creates the reference schema."""
    return files(__name__).joinpath("schema.sql").read_text(encoding="utf-8")
