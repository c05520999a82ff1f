"""Settings of the gateway."""

from pydantic import Field

from b2stream.settings.section import Section


class Gateway(Section):
    station: str = Field("", description="Id of the station, e.g. SE-Htm.")
    watch: str = Field("", description="Folder whose files are published.")
    journal: str = Field(
        "", description="SQLite file that remembers cuts, attempts and receipts; empty: below watch in .b2stream/."
    )
    key_file: str = Field(
        "",
        description="The station's private key, as `b2stream station keygen` makes it; empty: closes are not signed.",
    )
    utc_offset_h: float | None = Field(
        None, ge=-12, le=14, description="The station's standard time, hours ahead of UTC."
    )
    settle_s: float = Field(
        5.0, ge=0, description="A file unchanged for so many seconds is complete; a rename into the folder is at once."
    )
    scan_s: float = Field(2.0, gt=0, le=3_600, description="How often the folder is looked at, seconds.")
    shout_after_s: float = Field(
        3_600.0,
        gt=0,
        description="A file without a commit event for so long is warned about (never resent for it), seconds.",
    )
    keep_receipts_days: float = Field(
        90.0,
        ge=1,
        description="Receipts in full are kept for so many days; then one short row per file name stays in the journal.",
    )
    grace_s: float = Field(5.0, gt=0, description="After SIGTERM, time until it has ended, whatever hangs, seconds.")
    block_bytes: int = Field(262_144, ge=4_096, le=900_000, description="Size that a block aims at, bytes.")
    window_s: int = Field(1_800, ge=60, le=86_400, description="Length of a summary window, seconds, aligned to UTC.")
