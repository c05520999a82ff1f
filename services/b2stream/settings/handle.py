"""Settings of the Handle server, where PID records are kept; the prefixes of the centres stand with the centres."""

from pydantic import Field

from b2stream.settings.section import Section


class Handle(Section):
    url: str = Field("", description="Handle server, https://host:port; empty: no PID records.")
    user: str = Field(
        "", description="Who writes, index and handle of the password: 300:21.T12345/USER01; empty with a certificate."
    )
    password_file: str = Field(
        "",
        description="File that holds the password; empty: B2STREAM_HANDLE_PASSWORD holds it, or a certificate is used.",
    )
    certificate_file: str = Field("", description="Client certificate, PEM; it is used instead of the password.")
    key_file: str = Field("", description="The certificate's key, PEM; empty: it is in the same file.")
    ca_file: str = Field(
        "", description="The CA of the server's certificate, PEM; empty: those that the system trusts."
    )
    community_prefix: str = Field(
        "", description="Prefix of the community's own PIDs, e.g. 11676: it is named in EUDAT/ROR and never written to."
    )
    administrator: str = Field(
        "",
        pattern=r"^([0-9]+:[^/:\s]+/\S+)?$",
        description="Who may change the records, INDEX:HANDLE; empty: 200:0.NA/<prefix>, the owners of the prefix.",
    )
    timeout_s: float = Field(30.0, gt=0, description="How long an answer may take, seconds.")
