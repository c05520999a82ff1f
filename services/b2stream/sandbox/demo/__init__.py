"""`b2stream demo`: the whole chain on one screen, broken on the way, and checked at the end by someone else."""
