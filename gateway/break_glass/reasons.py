"""The closed lists of break-glass: why the glass is broken, and what a review finds.

Version 1. A code once given is never given another meaning.
"""

from typing import Final

REASONS: Final = (
    "life-threatening",  # the person may die or come to lasting harm
    "urgent-care",  # care that cannot wait for the evidence of a relationship
    "cannot-speak",  # the person cannot tell, and nobody can for them
    "safeguarding",  # somebody is at risk now
    "other",  # the text says
)
FINDINGS: Final = (
    "appropriate",
    "not-appropriate",
    "escalated",  # somebody else looks further into it
)
