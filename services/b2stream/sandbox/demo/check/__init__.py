"""The independent check: what lies at both centres against the source files, by other means than the pipeline's.

Nothing here imports b2stream. It knows python-irodsclient, confluent-kafka, fastavro and the standard library, and what the
published contract says: schemas, paths, manifests. It is a package of its own that needs no other: `python -m check PLAN.json`
with this folder's parent on the path is how the demo runs it.
"""
