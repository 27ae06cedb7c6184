"""What `[linkage]` says: whether, and how surely, demographics alone tie records."""

from typing import Annotated, Literal

from pydantic import Field

from adapters.source_file import Settings


class Linkage(Settings):
    """Whether demographics alone may tie a record to a person, and from what score.

    Scores are probabilities. A source that holds more than `candidates` people of the
    day of birth is used for nobody.
    """

    demographics: Literal["off", "possible-only", "on"] = "off"
    linked: Annotated[float, Field(ge=0.95, lt=1)] = 0.99
    possible: Annotated[float, Field(ge=0.1, le=0.95)] = 0.5
    candidates: Annotated[int, Field(ge=2, le=1_000)] = 100
