"""What an erasure covers, and the class of a credential that decides it."""

from __future__ import annotations

from enum import StrEnum


class CredentialClass(StrEnum):
    """`biometric`: face vectors, embeddings, templates. `other`: every other credential."""

    BIOMETRIC = "biometric"
    OTHER = "other"


class Scope(StrEnum):
    """`all`: every credential. `biometrics`: the credentials of class biometric alone.

    The order of the members is the order in which a tenant's lanes go.
    """

    BIOMETRICS = "biometrics"
    ALL = "all"

    def covers(self, credential_class: CredentialClass) -> bool:
        """Whether an erasure of this scope erases credentials of that class."""
        return self is Scope.ALL or credential_class is CredentialClass.BIOMETRIC
