"""Words for what is done to an object after its commit, as its events (`ObjectEvent`) have them, and who does it."""

import getpass
import socket

FIXITY_CHECK = "fixity check"
REPLICATION = "replication"
SET_ASIDE = "quarantine"
METADATA_MODIFICATION = "metadata modification"
DELETION = "deletion"
INGESTION = "ingestion"
"""Words of PREMIS; INGESTION is the archiving of a day's provenance."""
ANNOUNCEMENT = "announcement"
"""PREMIS has no word for publishing a commit event again."""


def who_runs_this() -> str:
    """`user@host`, as events name whoever did something."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
