"""The pure core: what a batch is, what its bytes are, where they lie. No I/O, no clock; the edges translate."""
