"""How long a tenant's credentials are kept."""
