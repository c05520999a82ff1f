"""Audit: does the archive hold what the log says, at both centres, whole and unchanged? It reads, and changes nothing."""
