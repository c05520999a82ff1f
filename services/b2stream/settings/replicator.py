"""Settings of the replicator."""

from pydantic import Field

from b2stream.settings.section import Section


class Replicator(Section):
    group: str = Field("replicator", description="Name of the consumer group; the topic id is added to it.")
    copies_in_flight: int = Field(
        4, ge=1, le=64, description="Copies that overlap; each has its own connection to both centres."
    )
    grace_s: float = Field(20.0, gt=0, description="After SIGTERM, time for copies in flight, seconds.")
    outage_ready_s: float = Field(
        600.0,
        gt=0,
        description="After so long without a copy that got through, while some wait: not ready on /readyz, seconds.",
    )
