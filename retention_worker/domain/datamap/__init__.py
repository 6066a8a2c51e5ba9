"""Where the credentials are in somebody else's database."""
