"""A URI is read back into the values that may have made it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention_worker.domain.datamap.uritemplate import Split, TooManyReadings, splits

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


@pytest.mark.parametrize("template", ["s3://kyc/{value}{id}", "s3://kyc-{tenant}{value}"])
def test_fields_that_meet(template: str) -> None:
    """However long a key is, the right reading is among them."""
    found = splits(template, template.format(tenant="acme", id="42", value="v" * 900))
    assert "v" * 900 in {each.value for each in found}


def test_too_many_readings() -> None:
    """It is said that the right one may be missing."""
    with pytest.raises(TooManyReadings):
        splits("s3://kyc/{tenant}-{id}-{value}", f"s3://kyc/{'-' * 100}")


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
