"""Who signed what: the descriptions of stations, and whether the close in a manifest is its station's own (I9)."""

from collections.abc import Mapping

from b2stream.batches.signing import check_origin
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription
from b2stream.errors import ConfigurationError, Poison
from b2stream.programs.audit.gathering.walking import SignatureCheck
from b2stream.settings import Settings
from b2stream.stations.known import KnownStations

ANSWER_S = 30.0


def known_stations(settings: Settings, framing: Framing) -> Mapping[str, StationDescription]:
    """The descriptions that are published; none where their topic is not there. Raises Retryable where Kafka does not answer."""
    try:
        return KnownStations.of(settings, framing, "b2stream-audit").load(ANSWER_S)
    except ConfigurationError:
        return {}  # a deployment from before stations had keys


def signature_check(stations: Mapping[str, StationDescription], *, accept_unsigned: bool) -> SignatureCheck:
    """The check that the processors made at the close, made once more of what lies in the archive."""

    def check(close: BatchClosed, closed_at_us: int) -> str | None:
        if not must_be_signed(close, closed_at_us, stations, accept_unsigned=accept_unsigned):
            return None
        try:
            check_origin(close, closed_at_us, stations, accept_unsigned=accept_unsigned)
        except Poison as error:
            return f"{error.reason}: {error.detail}"
        return None

    return check


def deployed_check(settings: Settings, framing: Framing) -> SignatureCheck:
    """The check with the keys that a deployment's stations have now. Raises Retryable."""
    return signature_check(known_stations(settings, framing), accept_unsigned=settings.processor.unsigned == "accept")


def must_be_signed(
    close: BatchClosed, closed_at_us: int, stations: Mapping[str, StationDescription], *, accept_unsigned: bool
) -> bool:
    """Whether a signature is there, or had to be: a station's batches from before its first key are not signed."""
    description = stations.get(close.station)
    had_key = description is not None and any(key.holds_at(closed_at_us) for key in description.keys)
    return close.signature is not None or had_key or not accept_unsigned
