"""The record of every erasure, and the proofs that are made from it."""
