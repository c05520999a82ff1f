"""`b2stream repair` and `b2stream reannounce`: what mends an archive, planned, done, and told."""
