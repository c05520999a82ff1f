"""`b2stream scrub`: the rolling fixity check."""
