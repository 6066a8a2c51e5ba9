"""Roles of the portal: each may do what those before it may."""

from retention_worker.domain.access.role import Role


def test_the_order_of_roles() -> None:
    """viewer, support, approver; nobody may more than their own."""
    for index, role in enumerate(Role):
        assert [role.includes(other) for other in Role] == [n <= index for n in range(len(Role))]
