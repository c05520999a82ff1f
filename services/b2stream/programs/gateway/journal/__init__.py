"""What a gateway planned, published, and knows to be archived. One SQLite file per station and folder."""
