"""Strategies: documents, signatures, requests and cells from small pools of codes."""

from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from hypothesis import strategies as st

from policies.decide import Cell, Request
from policies.documents import content_hash, parse_document
from policies.obligations import AXES

ORGS = ["Z9A01", "Z9B02", "Z9C03"]
PURPOSES = ["direct-care", "research"]
ROLES = ["gp", "nurse"]
RELATIONSHIPS = ["registered", "self-claimed", "none"]
CATEGORIES = ["encounters", "medications"]
LABELS = ["PSY", "STD"]
FLAGS = ["ndo", "local-dissent"]
MODES = ["identified", "pseudonymised"]
ALL_FLAGS = [
    *["ndo", "type1", "local-dissent", "legally-restricted", "sensitive-record"],
    *["consent:DSA-0", "consent:DSA-1", "consent:DSA-2"],
]
SUPPORTED = frozenset(AXES)


def subsets(pool, *, least):
    return [
        list(chosen)
        for size in range(least, len(pool) + 1)
        for chosen in combinations(pool, size)
    ]


def some(pool, *, least=1):
    """A list of codes, mostly the whole pool: one cheap draw."""
    parts = subsets(list(pool), least=least)
    return st.sampled_from([list(pool)] * len(parts) * 5 + parts)


def few(pool):
    """A list of codes, more often than not empty."""
    parts = subsets(pool, least=0)
    return st.sampled_from([[]] * len(parts) * 2 + parts)


views = st.fixed_dictionaries(
    {},
    optional={
        "hide_fields": few(["person.address", "person.name"]),
        "mask_fields": st.dictionaries(
            st.just("person.birth_date"), st.sampled_from(["none", "partial", "full"])
        ),
        "date_grain": st.sampled_from(["exact", "day", "year"]),
        "max_age_days": st.sampled_from(["365", 1825]),
        "min_count": st.sampled_from([0, 5, 10]),
        "row_filters": few(["ndo"]),
        "no_onward": st.sampled_from(["true", False]),
        "retain_seconds": st.sampled_from([0, 60]),
        "notify": few(["owner", "patient"]),
        "justify": st.booleans(),
    },
)
light_views = st.sampled_from(
    [
        {},
        {},
        {"max_age_days": 365},
        {"max_age_days": 1825},
        {"hide_fields": ["person.address"]},
        {"hide_fields": ["person.address", "person.name"], "max_age_days": 1825},
        {"no_onward": "true"},
        {"no_onward": "true", "retain_seconds": 60},
        {"mask_fields": {"person.birth_date": "partial"}, "date_grain": "day"},
        {"mask_fields": {"person.birth_date": "full"}, "date_grain": "year"},
        {"notify": ["owner"], "min_count": 10, "row_filters": ["ndo"]},
    ]
)


@st.composite
def clauses(draw, number):
    basis = draw(st.sampled_from(["implied-consent"] * 6 + ["explicit-consent"]))
    return {
        "id": f"c{number}",
        "purposes": draw(some(PURPOSES)),
        "legal_basis": {"art6": "6(1)(e)", "art9": "9(2)(h)", "confidentiality": basis},
        "operations": ["journey.read"],
        "modes": draw(some(MODES)),
        "roles": draw(some(ROLES)),
        "relationships": draw(some(RELATIONSHIPS)),
        "assurance": draw(some(["aal2", "aal3"])),
        "categories": draw(some(CATEGORIES)),
        "cleared_labels": draw(some([*LABELS, "unlabelled"], least=0)),
        "honours": draw(few(FLAGS)),
        "obligations": draw(light_views),
        "break_glass": draw(st.sampled_from(["both"] * 6 + ["only"])),
        "why": f"Reason {number}",
    }


@st.composite
def agreements(draw, number):
    count = draw(st.integers(1, 3))
    first, last = draw(
        st.sampled_from(
            [("2031-01-01", "2032-12-31")] * 3 + [("2031-10-26", "2031-10-26")]
        )
    )
    return parse_document(
        {
            "kind": "agreement",
            "id": f"DSA-{number}",
            "parties": {
                "providers": draw(some(ORGS[:2])),
                "recipients": draw(some(ORGS)),
            },
            "dpia": "DPIA-1",
            "review_by": "2032-01-01",
            "valid": {"from": first, "through": last},
            "clauses": [draw(clauses(index)) for index in range(count)],
        },
        where="generated",
    )


def whens():
    return st.fixed_dictionaries(
        {},
        optional={
            "purposes": some(PURPOSES),
            "modes": some(MODES),
            "agreements": some(["DSA-0"]),
            "recipients": some(ORGS),
            "roles": some(ROLES),
            "assurance": some(["aal2", "aal1"]),
            "relationships": some(RELATIONSHIPS),
            "categories": some(CATEGORIES),
            "operations": some(["journey.read", "population.additive"]),
            "same_org": st.booleans(),
            "labels_any": some([*LABELS, "unlabelled"]),
            "flags_any": some(["ndo", "type1", "consent:DSA-1"]),
        },
    )


@st.composite
def rules(draw, number):
    rule = {
        "id": f"r{number}",
        "when": draw(whens()),
        "overridable": draw(st.booleans()),
        "why": f"Rule {number}",
    }
    if draw(st.integers(0, 2)) == 0:
        return {**rule, "effect": "veto"}
    demanded = draw(light_views)
    return {
        **rule,
        "effect": "constrain",
        "obligations": {"date_grain": "month", **demanded},
    }


@st.composite
def local_rules(draw, number):
    count = draw(st.integers(1, 2))
    return parse_document(
        {
            "kind": "local-rule",
            "id": f"LR-{number}",
            "org": draw(st.sampled_from(ORGS[:2])),
            "rules": [draw(rules(index)) for index in range(count)],
        },
        where="generated",
    )


@st.composite
def document_sets(draw, *, most_rules=1):
    granting = [draw(agreements(n)) for n in range(draw(st.integers(1, 3)))]
    narrowing = [draw(local_rules(n)) for n in range(draw(st.integers(0, most_rules)))]
    return (*granting, *narrowing)


def sign(document, organisation, at="2031-01-01T09:00:00Z"):
    return parse_document(
        {
            "kind": "signature",
            "document": document.id,
            "hash": content_hash(document),
            "organisation": organisation,
            "person": "A Signatory",
            "capacity": "caldicott",
            "at": at,
        },
        where="generated",
    )


@st.composite
def signatures(draw, documents):
    granting = [each for each in documents if each.id.startswith("DSA")]
    missing = draw(
        st.one_of(
            st.just(set()),
            st.sets(
                st.tuples(
                    st.sampled_from(granting).map(lambda d: d.id), st.sampled_from(ORGS)
                ),
                max_size=2,
            ),
        )
    )
    times = st.sampled_from(["2031-01-02T09:00:00Z", "2031-02-02T09:00:00+01:00"])
    return tuple(
        sign(document, organisation, draw(times))
        for document in granting
        for organisation in ORGS
        if (document.id, organisation) not in missing
    )


NOON = datetime(2031, 10, 26, 12, tzinfo=UTC)
INSTANTS = [
    *[NOON] * 6,
    datetime(2031, 10, 25, 22, 59, 59, tzinfo=UTC),
    datetime(2031, 10, 25, 23, tzinfo=UTC),
    datetime(2031, 10, 26, 23, 59, 59, tzinfo=UTC),
    datetime(2031, 10, 27, tzinfo=UTC),
    datetime(2033, 1, 1, tzinfo=UTC),
    datetime(2030, 6, 1, tzinfo=UTC),
]


# Usually nothing is odd, else one thing or two: enough is permitted to be worth asking.
ODDITIES: dict[str, list[Any]] = {
    "operation": ["population.additive", "x"],
    "mode": ["aggregate", ""],
    "purpose": ["service-planning", "x"],
    "agreement": ["DSA-0", "DSA-1", "DSA-9"],
    "recipient": ["Z9X", ""],
    "role": ["analyst", "x"],
    "assurance": ["aal1", None],
    "break_glass": [True],
    "now": INSTANTS,
}


@st.composite
def oddities(draw):
    names = draw(
        st.sampled_from(
            [*[()] * 9, *((name,) for name in ODDITIES), ("break_glass", "agreement")]
        )
    )
    return {name: draw(st.sampled_from(ODDITIES[name])) for name in names}


@st.composite
def requests(draw):
    usual = {
        "operation": "journey.read",
        "mode": draw(st.sampled_from(["identified", *MODES])),
        "purpose": draw(st.sampled_from(["direct-care", *PURPOSES])),
        "agreement": None,
        "recipient": draw(st.sampled_from(ORGS)),
        "role": draw(st.sampled_from(ROLES)),
        "assurance": draw(st.sampled_from(["aal2", "aal3"])),
        "relationships": draw(some([*RELATIONSHIPS, "stale:registered", "x"])),
        "break_glass": False,
        "now": NOON,
    }
    asked = usual | draw(oddities())
    return Request(**{**asked, "relationships": frozenset(asked["relationships"])})


KEPT_BACK = ["legally-restricted", "sensitive-record"]


@st.composite
def cells(draw):
    most = draw(st.sampled_from(["prefiltered", "states", "states"]))
    flags = dict.fromkeys(ALL_FLAGS, most)
    consent = draw(st.sampled_from(["states", "prefiltered"]))
    flags |= {flag: consent for flag in ALL_FLAGS if flag.startswith("consent")}
    flags |= dict.fromkeys(KEPT_BACK, draw(st.sampled_from(["prefiltered", "states"])))
    odd = draw(st.sampled_from([*[None] * 8, *ALL_FLAGS]))
    if odd is not None:
        flags[odd] = draw(st.sampled_from(["none", "states", "prefiltered"]))
    return Cell(
        owner=draw(st.sampled_from([*ORGS[:2] * 10, "Z9X", ""])),
        category=draw(st.sampled_from([*CATEGORIES * 10, "documents", "x"])),
        labels=draw(st.sampled_from(["labelled", "labelled", "unlabelled"])),
        flags=flags,
    )
