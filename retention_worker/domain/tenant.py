"""A tenant as the database writes it, apart from the name of a policy file."""

from __future__ import annotations


class TenantId(str):
    """A value of the tenant column, never the name of a file.

    A person may name a tenant by either. A token or a session belongs to a value: were it taken
    for a name, it would open the data of a tenant whose file happens to be called so.
    """

    __slots__ = ()
