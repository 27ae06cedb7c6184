"""How hard laws are tried: a hundred examples here, ten thousand at night.

Those of policy, which decides what may be known, are tried five thousand times here
(policies/trying.py); "quick" is for runs under coverage.
"""

import os

from hypothesis import settings

# A shared machine is slow at times; a law is about what is told, not how soon.
settings.register_profile("here", max_examples=100, deadline=None)
settings.register_profile("quick", max_examples=100, deadline=None)
settings.register_profile("nightly", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "here"))
