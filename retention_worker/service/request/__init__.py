"""The erasure of one account or transaction, from the request to its end."""
