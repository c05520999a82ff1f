"""Settings of the centres."""

from pydantic import Field

from b2stream.settings.section import Section


class Centre(Section):
    name: str = Field("", pattern=r"^[a-z0-9-]{0,30}$", description="Name of the centre in events, e.g. csc.")
    url: str = Field("", description="irods://user@host:1247/zone/home/user/path, the root of the archive.")
    password_file: str = Field("", description="File that holds the password, nothing else.")
    staging_root: str = Field(
        "", description="Collection for staging; empty: <root>/.staging. Elsewhere where rules act on each put."
    )
    prefix: str = Field("", description="The centre's own handle prefix, e.g. 21.T12345; empty: no PIDs.")
    timeout_s: float = Field(120.0, gt=0, description="How long an answer may take, seconds; large files get more.")
