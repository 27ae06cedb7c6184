"""The suite every adapter passes: the same questions put to it and to memory.

For authors of adapters: pytest and pytest-asyncio must be installed (the `dev`
extra); nothing else in this distribution imports this package.

    class TestMine(AdapterContract):
        carries = Carries(precisions=frozenset({"day"}))
        gaps = {"a_placeholder_links_nobody": notyet("the view has no key column")}

        @pytest.fixture
        def adapter(self, tmp_path):
            return Mine(write(tmp_path, self.population()))
"""

import pytest

# Before the questions are imported, so that a failing one shows both sides.
pytest.register_assert_rewrite("adapters.conformance.questions")
pytest.register_assert_rewrite("adapters.conformance.likenesses")
pytest.register_assert_rewrite("adapters.conformance.merges")

from adapters.conformance.declared import (  # noqa: E402 - rewriting is asked for first
    FIELDS,
    Carries,
    Gap,
    never,
    notimpl,
    notyet,
)
from adapters.conformance.likenesses import (  # noqa: E402 - as above
    REGISTER,
    MatchesContract,
)
from adapters.conformance.merges import (  # noqa: E402 - as above
    MERGED,
    UNDONE,
    TracesContract,
)
from adapters.conformance.population import (  # noqa: E402 - as above
    POPULATION,
    Population,
)
from adapters.conformance.questions import (  # noqa: E402 - as above
    AdapterContract,
    comparable,
)

__all__ = [
    "FIELDS",
    "MERGED",
    "POPULATION",
    "REGISTER",
    "UNDONE",
    "AdapterContract",
    "Carries",
    "Gap",
    "MatchesContract",
    "Population",
    "TracesContract",
    "comparable",
    "never",
    "notimpl",
    "notyet",
]
