"""What of a URI may be shown."""

import pytest

from retention_worker.domain.objects.uri import shown


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://kyc/a/selfie.jpg", "s3://kyc/a/selfie.jpg"),
        ("s3://kyc/someone@example.com/selfie.jpg", "s3://kyc/someone@example.com/selfie.jpg"),
        ("s3://kyc/selfie.jpg?X-Amz-Signature=secret", "s3://kyc/selfie.jpg"),
        ("https://user:secret@host/selfie.jpg?sig=secret", "https://host/selfie.jpg"),
        ("s3://AKIA:secret@kyc", "s3://kyc"),
        ("https://host?sig=secret@x", "https://host"),
        ("acme/selfie.jpg", "acme/selfie.jpg"),
        ("", ""),
    ],
)
def test_shown(uri: str, expected: str) -> None:
    """Neither a user nor a query; the rest as it stands."""
    assert shown(uri) == expected
