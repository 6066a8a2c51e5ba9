"""How fast batches follow each other, and how the server is doing."""
