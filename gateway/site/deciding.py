"""The organisation's own policy set: the floors, its rules, and one grant from outside.

What the gateway granted is taken as the only grant there is, so that a rule of the
organisation narrows it and nothing widens it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from adapters.errors import ConfigurationError
from adapters.site.wire import Claims, spelt
from adapters.site.wire import Decision as Asked
from gateway.policy.plan import cell_of
from gateway.policy.published import read_yaml
from gateway.site.settings import SiteSettings
from gateway.sources import Source
from policies.clauses import (
    Agreement,
    Clause,
    LegalBasis,
    LocalRule,
    Parties,
    Period,
    Signature,
)
from policies.compile import PolicySet, compile_set
from policies.decide import Decision, Request, decide_all
from policies.documents import content_hash, parse_document, read_view
from policies.errors import Invalid
from policies.obligations import View
from policies.vocabulary import CLEARABLE

# What a site does to an answer by itself. What else its own rules demand, and the
# gateway's grant does not, nobody here can do: then nothing is shown.
DONE_HERE: Final = frozenset(
    {"hide_fields", "mask_fields", "date_grain", "max_age_days", "row_filters"}
)
_GRANT: Final = "gateway"
_SIGNED: Final = datetime(1970, 1, 2, tzinfo=UTC)
_ALWAYS: Final = Period(from_=date(1970, 1, 1), through=date(9000, 1, 1))
_MOST_REMEMBERED: Final = 256
# The law behind a grant was weighed where it was signed; here it is not asked again.
_BASIS: Final = LegalBasis(
    art6="6(1)(e)", art9="9(2)(h)", confidentiality="implied-consent"
)


class Ungranted(ValueError):
    """A question's grant cannot be read as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the organisation's own set says of each category that was granted."""

    policy: str
    request: Request
    decisions: Mapping[str, Decision]
    granted: Mapping[str, View]  # the gateway's own views, by category

    @property
    def permitted(self) -> frozenset[str]:
        """The categories that may be told."""
        return frozenset(
            c for c, each in self.decisions.items() if each.effect == "permit"
        )


def read_rules(settings: SiteSettings) -> tuple[LocalRule, ...]:
    """The organisation's own rules. ConfigurationError for the first thing wrong."""
    rules: list[LocalRule] = []
    for path in settings.policy_files():
        for data in read_yaml(path):
            try:
                document = parse_document(data, where=path.name)
            except Invalid as error:
                message = str(error).removeprefix(f"{path.name}: ")
                raise ConfigurationError(message, file=str(path)) from None
            if (
                not isinstance(document, LocalRule)
                or document.org != settings.organisation
            ):
                message = (
                    f"holds what is no local rule of {settings.organisation}: nothing "
                    "else counts at its site. Remove it."
                )
                raise ConfigurationError(message, file=str(path))
            rules.append(document)
    return tuple(rules)


class OwnPolicy:
    """Decides under one organisation's rules. ConfigurationError if two clash."""

    def __init__(self, organisation: str, rules: Sequence[LocalRule]) -> None:
        self._organisation = organisation
        self._rules = tuple(rules)
        self._compiled: dict[bytes, PolicySet] = {}
        try:
            self.version = compile_set(self._rules, ()).version
        except Invalid as error:
            raise ConfigurationError(str(error), file="policy") from None

    def decide(self, claims: Claims, source: Source, *, now: datetime) -> Decided:
        """What may be told. Ungranted if the grant is none, or not for one category.

        An error in deciding denies all, as anywhere.
        """
        asked = claims.decision
        views = _views(asked)
        request = Request(
            operation=asked.operation,
            mode=asked.mode,
            purpose=asked.purpose,
            agreement=asked.agreement,
            recipient=asked.organisation,
            role=asked.role,
            assurance=asked.assurance,
            relationships=frozenset(each.relationship for each in asked.granted),
            break_glass=asked.break_glass,
            now=now,
        )
        policy = self._set(asked, views)
        decisions: dict[str, Decision] = {}
        for category, view in views.items():
            (decision,) = decide_all(
                policy,
                request,
                (cell_of(source, category),),
                supported=DONE_HERE | view.demanded,
            )
            decisions[category] = decision
        return Decided(
            policy=self.version, request=request, decisions=decisions, granted=views
        )

    def _set(self, asked: Asked, views: Mapping[str, View]) -> PolicySet:
        # Of many questions that are granted alike, the set is made once.
        key = spelt(msgspec.structs.replace(asked, id=_GRANT, policy=_GRANT))
        known = self._compiled.get(key)
        if known is None:
            agreement = self._agreement(asked, views)
            try:
                known = compile_set([*self._rules, agreement], _signed(agreement))
            except Invalid:
                raise Ungranted from None
            if len(self._compiled) >= _MOST_REMEMBERED:
                self._compiled.clear()
            self._compiled[key] = known
        return known

    def _agreement(self, asked: Asked, views: Mapping[str, View]) -> Agreement:
        """The gateway's grant, as the only one there is."""
        return Agreement(
            id=asked.agreement or _GRANT,
            parties=Parties(
                providers=frozenset({self._organisation}),
                recipients=frozenset({asked.organisation}),
            ),
            dpia=_GRANT,
            review_by=_ALWAYS.through,
            valid=_ALWAYS,
            clauses=tuple(
                Clause(
                    id=f"c{number}",
                    purposes=frozenset({asked.purpose}),
                    legal_basis=_BASIS,
                    operations=frozenset({asked.operation}),
                    modes=frozenset({asked.mode}),
                    roles=frozenset({asked.role}),
                    relationships=frozenset({each.relationship}),
                    assurance=frozenset({asked.assurance or _GRANT}),
                    categories=frozenset(each.categories),
                    # What of these the gateway may show, it sees to itself.
                    cleared_labels=frozenset(CLEARABLE),
                    obligations=views[each.categories[0]],
                    why="Granted by the gateway's policy",
                )
                for number, each in enumerate(asked.granted)
            ),
        )


def _views(asked: Asked) -> dict[str, View]:
    views: dict[str, View] = {}
    for clause in asked.granted:
        try:
            view = read_view(clause.view, where="view")
        except Invalid:
            raise Ungranted from None
        for category in clause.categories:
            if category in views:
                raise Ungranted
            views[category] = view
    return views


def _signed(agreement: Agreement) -> list[Signature]:
    """Both sides' signatures: the gateway says that there is a grant."""
    text = content_hash(agreement)
    parties = agreement.parties
    return [
        Signature(
            document=agreement.id,
            hash=text,
            organisation=organisation,
            person=_GRANT,
            capacity=_GRANT,
            at=_SIGNED,
        )
        for organisation in sorted(parties.providers | parties.recipients)
    ]
