"""`b2stream evidence`: a year's bundle for an auditor, and its check."""
