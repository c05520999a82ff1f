"""Every setting, typed and documented; the environment wins over the TOML file, the TOML file over the default.

`[section] key` of the file is `B2STREAM_SECTION_KEY` in the environment. Passwords never stand in a setting: they come from the file that
`password_file` names, from the variable of that name without `_file` (`B2STREAM_FIRST_PASSWORD`, `B2STREAM_KAFKA_PASSWORD`), or
from iRODS's own files. One in an address is accepted with a warning, and not shown.
`b2stream config show` prints each value and where it came from.
"""

from b2stream.settings.archive import Centre
from b2stream.settings.gateway import Gateway
from b2stream.settings.kafka import Kafka
from b2stream.settings.loading import DEFAULT_FILE, FILE_VARIABLE, Loaded, Setting, load
from b2stream.settings.processor import Processor
from b2stream.settings.replicator import Replicator
from b2stream.settings.section import Section
from b2stream.settings.sections import ENVIRONMENT_PREFIX, Settings, sections, variable
from b2stream.settings.shared import General, Monitoring, Redis

__all__ = [
    "DEFAULT_FILE",
    "ENVIRONMENT_PREFIX",
    "FILE_VARIABLE",
    "Centre",
    "Gateway",
    "General",
    "Kafka",
    "Loaded",
    "Monitoring",
    "Processor",
    "Redis",
    "Replicator",
    "Section",
    "Setting",
    "Settings",
    "load",
    "sections",
    "variable",
]
