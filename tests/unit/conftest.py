"""How hard hypothesis tries: `ci` is quick, `B2STREAM_HYPOTHESIS=thorough` searches for minutes. No deadline: the machine may be busy.

A test whose examples cost much less or more than others takes `settings.default.max_examples` times something.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("ci", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("ci"), max_examples=3_000)
settings.load_profile(os.environ.get("B2STREAM_HYPOTHESIS", "ci"))
