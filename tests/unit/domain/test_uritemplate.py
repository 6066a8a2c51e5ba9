"""A URI is read back into the values that may have made it."""

from hypothesis import given
from hypothesis import strategies as st

from retention_worker.domain.uritemplate import Split, splits

TEXT = st.text("ab/-", min_size=1, max_size=8)


def test_one_field() -> None:
    """Without others a URI has one reading, or none."""
    assert splits(None, "s3://b/k") == [Split(tenant=None, id=None, value="s3://b/k")]
    assert splits("s3://b/{value}.jpg", "s3://b/k.jpg") == [Split(tenant=None, id=None, value="k")]
    assert splits("s3://b/{value}", "s3://c/k") == []
    assert splits("s3://b/{value}", "s3://b/") == []


def test_every_reading() -> None:
    """Where a separator stands twice there are two."""
    found = splits("{tenant}/{value}", "a/b/c")
    assert [(each.tenant, each.value) for each in found] == [("a", "b/c"), ("a/b", "c")]


def test_a_field_that_stands_twice() -> None:
    """Both have the same text."""
    assert [s.value for s in splits("{value}/{value}.jpg", "ab/ab.jpg")] == ["ab"]
    assert splits("{value}/{value}.jpg", "ab/cd.jpg") == []


@given(tenant=TEXT, account=TEXT, value=TEXT)
def test_the_way_back(tenant: str, account: str, value: str) -> None:
    """Whatever made the URI is among its readings."""
    for template in ("s3://b/{tenant}/{id}/{value}", "{id}-{value}", "x/{tenant}/{value}.jpg"):
        uri = (
            template.replace("{tenant}", tenant).replace("{id}", account).replace("{value}", value)
        )
        wanted = Split(
            tenant=tenant if "{tenant}" in template else None,
            id=account if "{id}" in template else None,
            value=value,
        )
        assert wanted in splits(template, uri)
