"""The processor: takes blocks from the log, assembles batches, commits them at the first centre, announces, acknowledges.

The only folder that knows Faust, and `source.py` is the only file in it that does.
"""
