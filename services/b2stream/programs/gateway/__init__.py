"""The gateway: a station's files become batches in the log, and receipts come back. One process per station and folder."""
