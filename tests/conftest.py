"""How Hypothesis runs: the same on a machine that is busy with other things."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("coatcheck", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("coatcheck")
