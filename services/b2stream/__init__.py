"""b2stream carries station measurements through Kafka into EUDAT B2SAFE, and proves that what is archived is what was measured.

What a subscriber needs can be imported from here and is loaded at its first use:

    import b2stream

    batch = next(b2stream.follow(config="b2stream.toml", from_beginning=True))
    print(b2stream.frame(batch))
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from b2stream.reader import Batch, Rows, download, follow, frame, manifest, open_batch, rows

__version__ = "0.1.0"
__all__ = ["Batch", "Rows", "__version__", "download", "follow", "frame", "manifest", "open_batch", "rows"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("b2stream.reader"), name)
    raise AttributeError(f"module 'b2stream' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
