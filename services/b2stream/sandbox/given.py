"""What is settled before a sandbox starts: its two centres, and the servers that its user runs already."""

from dataclasses import dataclass
from pathlib import Path

from b2stream import kafka
from b2stream.errors import ConfigurationError, Refused

KAFKA_ANSWERS_S = 20.0


@dataclass(frozen=True)
class Centre:
    """One of the two EUDAT centres as the sandbox plays them; `role` is first or second."""

    role: str
    name: str
    zone_name: str


CENTRES = (Centre("first", "csc", "cscZone"), Centre("second", "fzj", "fzjZone"))


@dataclass(frozen=True)
class Given:
    """Addresses of what the user runs already, as the settings take them; None: the sandbox brings its own.

    Raises ConfigurationError for a Handle server without a prefix.
    """

    kafka: str | None = None
    redis: str | None = None
    first: str | None = None
    second: str | None = None
    first_password_file: Path | None = None
    second_password_file: Path | None = None
    handle: str | None = None
    handle_prefix: str = ""
    handle_user: str = ""
    handle_password_file: Path | None = None
    handle_ca_file: Path | None = None

    def __post_init__(self) -> None:
        if self.handle is not None and not self.handle_prefix:
            raise ConfigurationError("--handle needs --handle-prefix: the prefix under which records are written")


def require_open_kafka(address: str | None, timeout_s: float = KAFKA_ANSWERS_S) -> None:
    """Raise ConfigurationError for a given Kafka that does not answer clients without TLS and password: demo and check are such."""
    if address is None:
        return
    try:
        if kafka.wait_until_answers(address, timeout_s):
            return
        told = f"no answer within {timeout_s:.0f} s"
    except (ConfigurationError, Refused) as refused:
        told = str(refused)
    raise ConfigurationError(
        f"--kafka {address}: a listener without TLS and password is needed here, the programs alone speak to others ({told})"
    )
