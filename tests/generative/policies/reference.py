"""The combining rule with the code of each reason, without masks or memory.

It shares with the product only the documents, the views and the vocabulary.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from policies import vocabulary
from policies.documents import Agreement, LocalRule, content_hash
from policies.obligations import View

LONDON = ZoneInfo("Europe/London")
DUTIES = View(notify=frozenset({"privacy-officer"}), justify=True)
NEVER = datetime(9999, 1, 1, tzinfo=LONDON)
FLOORS: list[tuple[str, str, dict[str, Any], View]] = [
    ("legally-restricted", "veto", {"flags": {"legally-restricted"}}, View()),
    (
        "sensitive-record",
        "veto",
        {"same_org": {False}, "flags": {"sensitive-record"}},
        View(),
    ),
    ("break-glass", "constrain", {"break_glass": {True}}, DUTIES),
    ("self-claimed", "constrain", {"relationships": {"self-claimed"}}, DUTIES),
    ("aggregate", "constrain", {"modes": {"aggregate"}}, View(min_count=8)),
    (
        "pseudonymised",
        "constrain",
        {"modes": {"pseudonymised"}},
        View(hide_fields=vocabulary.IDENTITY_FIELDS),
    ),
]
CLAUSE_DIMENSIONS = [
    *["purposes", "operations", "modes", "roles", "assurance"],
    *["categories", "relationships"],
]


@dataclass(frozen=True)
class Told:
    """What is known of flags (state by name) and of the item's labels."""

    flags: dict[str, str]
    labels: frozenset[str]


def evaluate(documents, signatures, request, cell, *, told, supported):
    """(effect, authority, relationship, view, [(code, authority)])"""
    grants = grants_of(documents, signatures, request, told)
    rules = rules_of(documents)
    facts = facts_of(request, cell)
    best, refusals = None, []
    for relationship in vocabulary.RELATIONSHIPS:
        if relationship not in request.relationships | {"none"}:
            continue
        here = {**facts, "relationships": relationship}
        fitting = [g for g in grants if not g.misses(here) and not g.obstacles]
        holding = [r for r in rules if r[1].holds(here, told)]
        vetoes = [r for r in holding if r[1].effect == "veto"]
        if vetoes or not fitting:
            refusals.append((fitting, vetoes, here))
            continue
        authority = fitting[0]
        for later in fitting[1:]:
            if later.view != authority.view and later.view == meet_inverse(
                later.view, authority.view
            ):
                authority = later
        view = authority.view
        for _, rule in holding:
            view = view.meet(rule.view)
        if not view.axes <= supported:
            refusals.append((fitting, authority, here))
        elif best is None or (view != best[2] and view.meet(best[2]) == best[2]):
            best = (authority.name, relationship, view)
    if best:
        return ("permit", *best, [("granted", best[0])])
    return ("deny", None, None, View(), why(grants, refusals, request, cell, told))


def meet_inverse(wide, narrow):
    return wide if wide.meet(narrow) == narrow else None


@dataclass
class Grant:
    name: str
    view: View
    accepts: dict[str, Any]
    obstacles: list[str]

    def misses(self, facts):
        return [d for d, allowed in self.accepts.items() if facts[d] not in allowed]


@dataclass
class Narrowing:
    effect: str
    view: View
    tests: dict[str, Any]

    def dimension(self, name, facts):
        return facts[name] is None or facts[name] in self.tests[name]

    def holds(self, facts, told):
        flags = self.tests.get("flags")
        labels = self.tests.get("labels")
        unsure = {"unlabelled", "unrecognised"} & told.labels
        return (
            all(self.dimension(d, facts) for d in self.tests if d in facts)
            and (
                flags is None
                or any(told.flags[f] in ("present", "unknown") for f in flags)
            )
            and (labels is None or bool(unsure) or bool(labels & told.labels))
        )

    def is_certain(self, facts, told):
        labels = self.tests.get("labels")
        return (
            not any(facts[d] is None for d in self.tests if d in facts)
            and "flags" not in self.tests
            and (labels is None or bool(labels & told.labels))
        )


def facts_of(request, cell):
    glass = request.break_glass
    individual = request.purpose in vocabulary.INDIVIDUAL

    def coded(value, allowed):
        return value if value in allowed else None

    return {
        "purposes": coded(request.purpose, vocabulary.PURPOSES),
        "operations": coded(request.operation, vocabulary.OPERATIONS),
        "modes": coded(request.mode, vocabulary.MODES),
        "roles": coded(request.role, vocabulary.ROLES),
        "assurance": coded(request.assurance, vocabulary.ASSURANCE),
        "categories": coded(cell.category, vocabulary.CATEGORIES),
        "recipients": request.recipient or None,
        "agreements": request.agreement,
        "owner": cell.owner or None,
        "same_org": request.recipient == cell.owner
        if request.recipient and cell.owner
        else None,
        "break_glass": None if glass and not individual else glass,
    }


def grants_of(documents, signatures, request, told):
    found = []
    for document in documents:
        if not isinstance(document, Agreement):
            continue
        fit = [s for s in signatures if s.document == document.id]
        fit = [s for s in fit if s.hash == content_hash(document)]
        begins = datetime.combine(document.valid.from_, time(), LONDON)
        ends = datetime.combine(
            document.valid.through + timedelta(days=1), time(), LONDON
        )
        for provider in document.parties.providers:
            own = [s.at for s in fit if s.organisation == provider]
            both = own and any(s.organisation == request.recipient for s in fit)
            active = max(min(own, default=NEVER), begins)
            for clause in document.clauses:
                obstacles = []
                if request.agreement not in (None, document.id):
                    obstacles.append("cited_absent")
                if not both:
                    obstacles.append("not_signed")
                # Instants are compared in UTC: London's own clock repeats an hour.
                if request.now.timestamp() < begins.timestamp():
                    obstacles.append("not_yet")
                if request.now.timestamp() >= ends.timestamp():
                    obstacles.append("expired")
                if not told.labels <= clause.cleared_labels:
                    obstacles.append("label")
                obstacles += flag_obstacles(document, clause, told)
                accepts = {name: getattr(clause, name) for name in CLAUSE_DIMENSIONS}
                accepts["recipients"] = document.parties.recipients
                accepts["owner"] = {provider}
                accepts["break_glass"] = (
                    {True} if clause.break_glass == "only" else {True, False}
                )
                name = f"{document.id}/{clause.id}@1#{provider}"
                grant = Grant(name, clause.obligations, accepts, obstacles)
                order = (active.timestamp(), document.id, clause.id, provider)
                found.append((order, grant))
    return [grant for _, grant in sorted(found, key=lambda pair: pair[0])]


def flag_obstacles(document, clause, told):
    states = [(told.flags[flag], "absent") for flag in clause.honours]
    if clause.legal_basis.confidentiality == "explicit-consent":
        states.append((told.flags[f"consent:{document.id}"], "present"))
    failing = [s for s, wanted in states if s not in (wanted, "pending")]
    return ["unknown" if s == "unknown" else "flag" for s in failing]


def rules_of(documents):
    found = []
    for document in sorted(documents, key=lambda d: d.id):
        if not isinstance(document, LocalRule):
            continue
        for rule in document.rules:
            tests: dict[str, Any] = {"owner": {document.org}}
            for name in rule.when.__slots__:
                tested = getattr(rule.when, name)
                if tested is not None:
                    key = {"labels_any": "labels", "flags_any": "flags"}.get(name, name)
                    tests[key] = {tested} if name == "same_org" else tested
            if rule.overridable:
                tests["break_glass"] = {False}
            narrowing = Narrowing(rule.effect, rule.obligations, tests)
            found.append((f"{document.id}/{rule.id}@1", narrowing))
    floors = [(f"floor/{n}", Narrowing(e, v, t)) for n, e, t, v in FLOORS]
    return found + floors


def why(grants, refusals, request, cell, told):
    for fitting, blocked, _ in refusals:
        if fitting and not isinstance(blocked, list):
            return [("obligation_unsupported", blocked.name)]
    near = [each for each in refusals if each[0]] or refusals
    vetoes = {
        name: rule.is_certain(here, told)
        for _, held, here in near
        for name, rule in held
    }
    if vetoes:
        every = [name for name, _ in rules_of_order(refusals)]
        return [
            ("veto" if vetoes[name] else "unknown", name)
            for name in every
            if name in vetoes
        ]
    return [first_obstacle(grants, request, cell)]


def rules_of_order(refusals):
    seen = {name: rule for _, held, _ in refusals for name, rule in held}
    floors = [f"floor/{floor[0]}" for floor in FLOORS]
    return sorted(
        seen.items(),
        key=lambda pair: (
            floors.index(pair[0]) if pair[0] in floors else -1,
            pair[0].split("/"),
        ),
    )


def first_obstacle(grants, request, cell):
    facts = facts_of(request, cell)

    def fitting(relationships, ignored=()):
        return [
            grant
            for grant in grants
            if grant.accepts["relationships"] & relationships
            and all(
                facts[d] in allowed
                for d, allowed in grant.accepts.items()
                if d != "relationships" and d not in ignored
            )
        ]

    left = fitting(request.relationships | {"none"})
    if not left:
        lapsed = {r[6:] for r in request.relationships if r.startswith("stale:")}
        if fitting(lapsed):
            return ("stale", None)
        unknown = [d for d, value in facts.items() if value is None]
        ignoring = fitting(request.relationships | {"none"}, unknown)
        asked = set(unknown) - {"agreements", "same_org"}
        return ("unknown" if asked and ignoring else "no_grant", None)
    for codes in (["cited_absent"], ["not_signed"], ["expired", "not_yet"], ["label"]):
        free = [g for g in left if not set(codes) & set(g.obstacles)]
        if not free:
            if codes[0] == "cited_absent":
                return ("cited_absent", None)
            ended = any("expired" in g.obstacles for g in left)
            code = codes[0] if codes[0] != "expired" or ended else "no_grant"
            return (code, left[0].name)
        left = free
    is_flag = any("unknown" not in g.obstacles for g in left)
    return ("flag" if is_flag else "unknown", left[0].name)
