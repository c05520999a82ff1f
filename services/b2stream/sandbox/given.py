"""What is settled before a sandbox starts: its two centres, and the servers that its user runs already."""

from dataclasses import dataclass
from pathlib import Path

from b2stream.errors import ConfigurationError


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
