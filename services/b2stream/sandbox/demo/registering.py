"""Waiting until the registrar has done its part: it lags behind the replicator, and no station waits for it."""

import time
from collections.abc import Callable

from b2stream.contracts.topics import COMMITS, REPLICAS
from b2stream.errors import Retryable
from b2stream.kafka.admin import Admin
from b2stream.sandbox.deployment import Deployment
from b2stream.settings import load

POLL_S = 0.2


def wait_until_registered(deployment: Deployment, stalled_s: float, look: Callable[[], None]) -> int:
    """Wait until every commit and replica event is registered, calling `look`; returns how many are not, after a standstill."""
    settings = load(deployment.settings_file, environment={}).settings
    admin = Admin(settings.kafka, "b2stream-demo")
    names = [topic.full_name(deployment.community) for topic in (COMMITS, REPLICAS)]
    groups = {name: f"{settings.registrar.group}-{admin.topic(name).topic_id}" for name in names}
    least, changed = None, time.monotonic()
    while True:
        left = sum(_left(admin, name, group, settings.kafka.partitions) for name, group in groups.items())
        if left == 0:
            return 0
        if least is None or left < least:
            least, changed = left, time.monotonic()
        elif time.monotonic() - changed > stalled_s:
            return left
        look()
        time.sleep(POLL_S)


def _left(admin: Admin, topic: str, group: str, partitions: int) -> int:
    ranges = admin.ranges(topic, partitions)
    try:
        committed = admin.committed(group, topic, partitions)
    except Retryable:  # the broker still looks for the group's coordinator
        committed = {}
    return sum(held.end - committed.get(partition, held.start) for partition, held in ranges.items())
