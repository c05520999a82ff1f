"""The object store that an iRODS zone is: the only place that knows python-irodsclient."""
