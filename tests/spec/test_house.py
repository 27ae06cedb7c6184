"""The house's own laws, held to the whole tree.

Each is a function of a root; test_seeded_faults.py proves that each can fail.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.corpus import ROOT
from tests.laws import (
    asking,
    exemptions,
    guides,
    imports,
    kinds,
    layout,
    routes,
    silence,
    sizes,
    words,
)

Law = Callable[[Path], list[str]]

LAWS: dict[str, Law] = {
    "functions_and_files_are_small": sizes.too_large,
    "policies_need_the_standard_library_alone": imports.foreign_to_policies,
    "no_patient_value_is_told": silence.told,
    "sources_are_asked_in_one_place": asking.asked_elsewhere,
    "the_intent_is_durable_before_asking": asking.unaudited,
    "every_route_decides_or_is_listed": routes.undecided,
    "every_exemption_has_a_code_and_a_reason": exemptions.unreasoned,
    "every_kind_of_adapter_passes_the_suite": kinds.untested,
    "everything_has_its_place": layout.misplaced,
    "every_setting_and_error_code_is_in_a_guide": guides.unnamed,
    "no_file_names_a_machine_or_a_registry": words.forbidden,
}


@pytest.mark.parametrize("law", LAWS.values(), ids=list(LAWS))
def test_the_law_holds(law):
    assert law(ROOT) == []
