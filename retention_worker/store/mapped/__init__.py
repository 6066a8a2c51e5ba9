"""Statements on the tables of somebody else, as the data map names them."""
