"""What happened to an object: joined and drawn for a reader, archived for each day."""
