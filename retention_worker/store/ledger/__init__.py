"""The ledger's own tables."""
