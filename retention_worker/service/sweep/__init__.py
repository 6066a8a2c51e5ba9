"""A pass over every lane: sweep, lane, batches, batch."""
