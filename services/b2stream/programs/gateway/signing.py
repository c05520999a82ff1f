"""The station's signature under each close, with the key that `gateway.key_file` names."""

import logging
import stat
from collections.abc import Callable
from pathlib import Path

from b2stream.batches.signing import public_key_of, sign
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import key_id
from b2stream.stations.keys import load_key

log = logging.getLogger(__name__)


def signer(key_file: str) -> Callable[[BatchClosed], BatchClosed]:
    """Signs closes; without a key it leaves them as they are. Raises NoSuchKey."""
    if not key_file:
        log.info("closes are not signed: gateway.key_file is not set")
        return unsigned
    path = Path(key_file)
    private = load_key(path)
    if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
        log.warning(
            "everybody on this computer can read the station's private key", extra={"facts": {"file": key_file}}
        )
    log.info("closes are signed", extra={"facts": {"key": key_id(public_key_of(private))}})
    return lambda close: sign(close, private)


def unsigned(close: BatchClosed) -> BatchClosed:
    """The close as it is."""
    return close
