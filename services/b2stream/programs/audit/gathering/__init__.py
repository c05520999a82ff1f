"""What an audit judges by: centres' catalogues, the log, manifests, gathered in one index on disk."""
