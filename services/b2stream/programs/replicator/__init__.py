"""The replicator: carries each committed batch from the first centre to the second, and says so on `<community>.replicas`."""
