"""The objects that erased rows named: deleted from their stores, and said so in the ledger."""
