"""An event of a later release waits until this program is upgraded; the others go on."""

import time

from b2stream.contracts.upgrades import waits_for_upgrade
from b2stream.errors import Poison, Stuck
from b2stream.work.schedule import Work


class UpgradeThis(Stuck):
    """A later release wrote this event: upgrade this program; the event waits for a week, others go on."""

    reason = "unknown_schema"


def wait_for_upgrade(work: Work, why: Poison) -> None:
    """For `Job.before_letter`. Raises UpgradeThis where this event may be read once this program is upgraded."""
    if waits_for_upgrade(why, work.message, time.time_ns() // 1000):
        raise UpgradeThis(why.detail) from why
