"""Which object a URI names."""

import pytest

from retention_worker.objects import address_of


@pytest.mark.parametrize(
    ("uri", "kind", "place", "key"),
    [
        ("s3://kyc/a/b.jpg", "s3", "kyc", "a/b.jpg"),
        ("S3://kyc/a%20b?c#d", "s3", "kyc", "a%20b?c#d"),
        ("s3://kyc//a", "s3", "kyc", "/a"),
        (
            "s3://arn:aws:s3:eu-west-1:1:accesspoint:kyc/a",
            "s3",
            "arn:aws:s3:eu-west-1:1:accesspoint:kyc",
            "a",
        ),
        ("file:///srv/kyc/a%20b.jpg", "file", "", "/srv/kyc/a b.jpg"),
        ("file://localhost/srv/a", "file", "", "/srv/a"),
        ("photos/2026/a.jpg", "file", "", "photos/2026/a.jpg"),
        ("/etc/passwd", "file", "", "/etc/passwd"),
    ],
)
def test_an_address(uri: str, kind: str, place: str, key: str) -> None:
    """A key of S3 is taken as it stands; a file URI is decoded; the rest is a path."""
    found = address_of(uri)
    assert found is not None
    assert (found.kind, found.place, found.key) == (kind, place, key)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "s3://",
        "s3://kyc",
        "s3://kyc/",
        "s3:///key",
        "s3://AKIA:secret@kyc/a",
        "s3://kyc?versionId=1/a",
        "s3://my bucket/a",
        "https://kyc.s3.amazonaws.com/a",
        "gs://kyc/a",
        "file://other-host/a",
        "file://",
        "mailto:somebody",
    ],
)
def test_no_address(uri: str) -> None:
    """Nobody guesses what else it may mean."""
    assert address_of(uri) is None
