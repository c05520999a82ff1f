"""`b2stream verify`: one batch, fetched, recomputed and compared with everything that speaks of it."""
