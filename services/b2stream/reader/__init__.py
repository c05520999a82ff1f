"""For subscribers: follow commit events, open data objects verified, rows as arrays or frames.

    import b2stream

    batch = next(b2stream.follow(config="b2stream.toml", from_beginning=True))
    print(b2stream.frame(batch))

Needs nothing but the base dependencies; `frame` needs pandas. Errors are those of `b2stream.errors`.
"""

from b2stream.reader.batch import Batch
from b2stream.reader.downloading import download
from b2stream.reader.fetching import manifest, open_batch
from b2stream.reader.following import follow
from b2stream.reader.frames import frame
from b2stream.reader.rows import Flag, Rows, RowsDiffer, rows

__all__ = ["Batch", "Flag", "Rows", "RowsDiffer", "download", "follow", "frame", "manifest", "open_batch", "rows"]
