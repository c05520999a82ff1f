"""Settings of the processor."""

import os

from pydantic import Field

from b2stream.settings.section import Section

_MOST_EXAMINING = 2  # with four the memory of the processor and its own may pass 300 MB (I10)


def _half_of_the_cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores // 2, _MOST_EXAMINING)


class Processor(Section):
    group: str = Field("processor", description="Name of the consumer group; the topic id is added to it.")
    spool_directory: str = Field("", description="Folder for blocks of open attempts; empty: a temporary one.")
    spool_bytes: int = Field(
        8 << 30, ge=1 << 20, description="Most bytes in the spool; beyond it the largest open attempt is evicted."
    )
    commits_in_flight: int = Field(
        8, ge=1, le=64, description="Commits that overlap; each has its own iRODS connection."
    )
    examining_processes: int = Field(
        default_factory=_half_of_the_cores,
        ge=0,
        le=64,
        description="Processes that check and summarise closed batches; 0: own threads do. Default: one for two cores, at most two.",
    )
    silence_s: float = Field(
        900.0, gt=0, description="T: an attempt silent for so long at the end of the log is abandoned, seconds."
    )
    overtake_s: float = Field(
        600.0, gt=0, description="A stuck batch is overtaken by later ones of its series after so long, seconds."
    )
    grace_s: float = Field(20.0, gt=0, description="After SIGTERM, time for commits in flight, seconds.")
    unsigned: str = Field(
        "refuse",
        pattern="^(accept|refuse)$",
        description="Batches of stations for which no key is published: accept or refuse.",
    )
    unknown_key_s: float = Field(
        3_600.0,
        ge=0,
        description="A close whose key is not published yet waits for so long after it came, seconds; others go on.",
    )
    open_attempts: int = Field(
        20_000,
        ge=1,
        description="Most attempts without a close, 1 kB of memory and a file each; for one more, one of the station with most of them "
        "becomes dead letters, and is sent again.",
    )
    closed_limit: int = Field(200, ge=1, description="Closed, unannounced attempts at which reading pauses.")
    outage_ready_s: float = Field(
        600.0,
        gt=0,
        description="After so long without a commit that the centre took, while some wait: not ready on /readyz, seconds.",
    )
    dead_letters_per_minute: int = Field(
        6_000,
        ge=1,
        description="Dead letters written in a minute at most; beyond it reading stands still, and says so. Nothing is lost by it.",
    )
