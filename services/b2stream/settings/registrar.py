"""Settings of the registrar."""

from pydantic import Field

from b2stream.settings.section import Section


class Registrar(Section):
    group: str = Field("registrar", description="Name of the consumer groups; the topic ids are added to it.")
    registrations_in_flight: int = Field(
        4, ge=1, le=64, description="Registrations that overlap; each has its own connections."
    )
    kinds_file: str = Field(
        "",
        description="TOML with theme, data level and object specification by input format; the first two count where the station's "
        "description does not say them. The processor reads it, too. Empty: b2stream's own.",
    )
    grace_s: float = Field(20.0, gt=0, description="After SIGTERM, time for registrations in flight, seconds.")
    outage_ready_s: float = Field(
        600.0,
        gt=0,
        description="After so long without a registration that got through, while some wait: not ready on /readyz, seconds.",
    )
