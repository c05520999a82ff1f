"""All sections together, and the names of their variables."""

from collections.abc import Iterator

from b2stream.settings.archive import Centre
from b2stream.settings.gateway import Gateway
from b2stream.settings.handle import Handle
from b2stream.settings.kafka import Kafka
from b2stream.settings.processor import Processor
from b2stream.settings.registrar import Registrar
from b2stream.settings.replicator import Replicator
from b2stream.settings.section import Section
from b2stream.settings.shared import General, Monitoring, Redis

ENVIRONMENT_PREFIX = "B2STREAM"


class Settings(Section):
    """All settings, by section; `origins` says where each came from."""

    general: General = General()  # type: ignore[call-arg]  # pydantic's plugin is not used: every field has a default
    kafka: Kafka = Kafka()  # type: ignore[call-arg]
    redis: Redis = Redis()  # type: ignore[call-arg]
    first: Centre = Centre()  # type: ignore[call-arg]
    second: Centre = Centre()  # type: ignore[call-arg]
    handle: Handle = Handle()  # type: ignore[call-arg]
    gateway: Gateway = Gateway()  # type: ignore[call-arg]
    processor: Processor = Processor()  # type: ignore[call-arg]
    replicator: Replicator = Replicator()  # type: ignore[call-arg]
    registrar: Registrar = Registrar()  # type: ignore[call-arg]
    monitoring: Monitoring = Monitoring()  # type: ignore[call-arg]


def sections() -> Iterator[tuple[str, type[Section]]]:
    """Names and types of all sections."""
    for name, declared in Settings.model_fields.items():
        section = declared.annotation
        assert isinstance(section, type)
        assert issubclass(section, Section)
        yield name, section


def variable(section: str, key: str) -> str:
    """Name of a setting in the environment."""
    return f"{ENVIRONMENT_PREFIX}_{section}_{key}".upper()
