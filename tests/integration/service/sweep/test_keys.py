"""Arrays of ids as PostgreSQL reads them."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retention_worker.store.connection.keys import array_literal
from tests.stage import Stage

# Every text that a database can hold.
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.none() | TEXTS | st.sampled_from(["NULL", "", "{", '"', "\\", ",", "a,b"])))
def test_any_texts_come_back(stage: Stage, texts: list[str | None]) -> None:
    """Quotes, braces, commas, the word NULL and none at all: the array is the list."""
    row = stage.conn.execute("SELECT %s::text[]", (array_literal(texts),)).fetchone()
    assert row is not None
    assert row[0] == texts
