"""The embedded iRODS zone: a loopback server for laptops and tests, never for data that matters.

It speaks enough of the iRODS protocol for the unchanged python-irodsclient 3.3.0 and behaves as a real iRODS 5.0.2 was
measured to behave: error codes, locks, stale and intermediate replicas, what survives a kill of the client or of the
zone. Objects lie as plain files below `<directory>/vault`, the catalogue is one SQLite file beside it. It listens on
127.0.0.1 only, knows one resource and a handful of users, and has neither TLS nor rules.

It stands outside the pipeline on purpose: it imports nothing of it, so that it cannot share its mistakes.

    python -m b2stream.sandbox.zone --directory DIR --zone cscZone --port 0 --user rods --password-file FILE

Programs and tests start and stop it with `b2stream.sandbox.zone.process.EmbeddedZone`.
"""
