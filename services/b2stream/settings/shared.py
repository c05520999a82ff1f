"""Settings that every program shares."""

from pydantic import Field

from b2stream.settings.section import Section


class General(Section):
    community: str = Field("icos", pattern=r"^[a-z][a-z0-9-]{0,30}$", description="Prefix of topics, name of AVUs.")
    log_format: str = Field("text", pattern="^(text|json)$", description="How log lines are written: text or json.")
    policies_file: str = Field(
        "",
        description="TOML that says by series what is taken, where it lies and how often it is checked (docs/trust.md); empty: "
        "b2stream's own, everything at two centres, checked once a year.",
    )
    reviewer_keys: str = Field(
        "",
        pattern=r"^\s*([A-Za-z0-9+/]{43}=(\s+|$))*$",
        description="Public keys (base64, spaces between them) of whoever reviews descriptions of stations: one that none of them signed "
        "is passed over (docs/trust.md). Empty: whoever may write to the topic of stations is believed.",
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")


class Redis(Section):
    url: str = Field(
        "", description="Redis for live status, e.g. redis://127.0.0.1:6379/0; empty: none. Nothing depends on it."
    )
    password_file: str = Field(
        "",
        description="File that holds the password of Redis; empty: B2STREAM_REDIS_PASSWORD holds it, or there is none.",
    )


class Monitoring(Section):
    host: str = Field(
        "127.0.0.1", description="Address that /metrics, /healthz and /readyz listen on; 0.0.0.0 in a container."
    )
    port: int = Field(0, ge=0, le=65_535, description="Their port; 0: none.")
