"""For all tests: nothing may depend on how fast the machine is, Hypothesis' examples neither.

Continuous integration plays the same examples for the same code, as Hypothesis' own profile for it does: a change is
judged by what it changed. Everybody else looks for new ones.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("any machine")
