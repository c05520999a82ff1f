"""The registrar: the only writer of PID records and of the attributes (AVUs) of archived data objects."""
