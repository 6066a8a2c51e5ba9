"""The erasure of one account or transaction that somebody asked for."""
