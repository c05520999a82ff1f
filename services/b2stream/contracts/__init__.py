"""The public contract as Python: records and their schemas, framing, partitions, envelopes, topics.

Pure: no I/O but reading the packaged schemas, and no clock.
"""
