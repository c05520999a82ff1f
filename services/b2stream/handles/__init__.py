"""PID records at a Handle service: the interface, its implementations, and what stands in a record."""
