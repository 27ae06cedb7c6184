"""A set as FHIR R5 Permissions, for those who read policy in FHIR.

One Permission for each line of the set, asserted by the organisation whose data it is
about. Permission has no element for a role, a relationship or a label that must be
cleared: these stand as modifier extensions, so that whoever does not understand them
must not use the Permission. Source: HL7 FHIR 5.0.0, resource Permission.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from policies.clauses import Agreement, Clause, Document, Member, Signature
from policies.compile import PolicySet, compile_set
from policies.lines import LONDON, NO, YES, Line
from policies.members import SignedMember, signed_members
from policies.obligations import AXES, View
from policies.vocabulary import PURPOSES

Json = dict[str, Any]

_OURS: Final = "urn:throughline:policy"
_ODS: Final = "https://fhir.nhs.uk/Id/ods-organization-code"
_HL7: Final = "http://terminology.hl7.org/CodeSystem"
_CONFIDENTIALITY: Final = frozenset({"R", "V"})
_SENSITIVITY: Final = frozenset({"ETH", "GDIS", "HIV", "PSY", "SDV", "SEX", "STD"})
_NO_ONWARD: Final = "NORDSCLCD"  # no redisclosure without consent directive
_DAY: Final = timedelta(days=1)

# What a Permission has no element for, by the line's dimension.
_CONDITIONS: Final[Mapping[str, str]] = {
    "modes": "mode",
    "roles": "role",
    "relationships": "relationship",
    "assurance": "assurance",
    "agreements": "agreement",
    "same_org": "same-organisation",
    "break_glass": "break-glass",
}
_TYPES: Final = {"grant": "permit", "veto": "deny"}


def fhir_permissions(
    documents: Iterable[Document | Member], signatures: Iterable[Signature]
) -> Json:
    """A Bundle of type collection, as plain JSON, with the shipped floors.

    A grant that is not signed or is suspended has the status draft. A constraint is a
    rule without a type: it permits nothing, and its limits bind what others permit.
    """
    given, signed = tuple(documents), tuple(signatures)
    policy_set = compile_set(given, signed)
    sources = _sources(signed_members(given, signed))
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "identifier": {"system": f"{_OURS}:set", "value": policy_set.version},
        "entry": [
            {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
            for resource in _resources(policy_set, sources)
        ],
    }


_Sources = Mapping[str, tuple[SignedMember, Clause | None]]


def _sources(members: Iterable[SignedMember]) -> _Sources:
    """Where each line comes from, by its authority; of a grant, its clause."""
    found: dict[str, tuple[SignedMember, Clause | None]] = {}
    for each in members:
        document, version = each.document, each.member.version
        if isinstance(document, Agreement):
            for provider in document.parties.providers:
                for clause in document.clauses:
                    authority = f"{document.id}/{clause.id}@{version}#{provider}"
                    found[authority] = (each, clause)
        else:
            for rule in document.rules:
                found[f"{document.id}/{rule.id}@{version}"] = (each, None)
    return found


def _resources(policy_set: PolicySet, sources: _Sources) -> Iterator[Json]:
    for line in policy_set.lines:
        member, clause = sources.get(line.authority, (None, None))
        yield _without_nothing(
            {
                "resourceType": "Permission",
                "id": str(uuid5(NAMESPACE_URL, f"{_OURS}:{line.authority}")),
                "extension": [
                    _extension("authority", "String", line.authority),
                    _extension("why", "String", line.why),
                ],
                "status": "draft"
                if line.effect == "grant" and not line.signed
                else "active",
                "asserter": line.organisation and _organisation(line.organisation),
                "date": _signed_on(line, member),
                "validity": _validity(line),
                "justification": _justification(member, clause),
                "combining": "deny-overrides",
                "rule": [_rule(line)],
            }
        )


def _signed_on(line: Line, member: SignedMember | None) -> list[str]:
    at = member and member.signed.get(line.organisation or "")
    return [at.isoformat(timespec="seconds")] if at else []


def _validity(line: Line) -> Json:
    if line.begins is None or line.ends is None:
        return {}
    # Both days of a Period count whole; ours ends where the day after it begins.
    last = line.ends.astimezone(LONDON).date() - _DAY
    return {
        "start": line.begins.astimezone(LONDON).date().isoformat(),
        "end": last.isoformat(),
    }


def _justification(member: SignedMember | None, clause: Clause | None) -> Json:
    if member is None or clause is None or not isinstance(member.document, Agreement):
        return {}
    basis = clause.legal_basis
    evidence = [member.document.dpia, basis.evidence]
    if clause.exemption is not None:
        evidence.append(f"{clause.exemption.code}: {clause.exemption.evidence}")
    return {
        "basis": [
            _concept(f"{_OURS}:{name}", code)
            for name, code in (
                ("gdpr-article-6", basis.art6),
                ("gdpr-article-9", basis.art9),
                ("confidentiality", basis.confidentiality),
            )
        ],
        "evidence": [{"display": each} for each in evidence if each],
    }


def _rule(line: Line) -> Json:
    return _without_nothing(
        {
            "modifierExtension": [*_conditions(line), *_flags_and_labels(line)],
            "type": _TYPES.get(line.effect, ""),
            "data": _data(line),
            "activity": _activity(line),
            "limit": list(_limits(line.view)),
        }
    )


def _conditions(line: Line) -> Iterator[Json]:
    for dimension, name in _CONDITIONS.items():
        accepted = line.accepts.get(dimension, frozenset())
        if dimension == "break_glass" and accepted == {YES, NO}:
            continue  # whether the glass is broken or not
        if dimension == "agreements" and line.effect == "grant":
            continue  # its own, which the authority names
        yield from (_extension(name, "Code", value) for value in sorted(accepted))


def _flags_and_labels(line: Line) -> Iterator[Json]:
    flags = {
        "flag-known-absent": line.honours,
        "flag-known-present": line.requires,
        "flag-any-present-or-unknown": line.flags_any or frozenset(),
    }
    for name, codes in flags.items():
        yield from (_extension(name, "Code", flag) for flag in sorted(codes))
    if line.effect == "grant":
        # Said even if empty: only items without any label are then in scope.
        labels = ",".join(sorted(line.cleared))
        yield _extension("labels-all-within", "String", labels or "none")
    elif line.labels_any is not None:
        yield _extension("labels-unknown-are-in-scope", "Boolean", value=True)


def _data(line: Line) -> list[Json]:
    """Whose data, of which categories; of a rule, with which labels."""
    categories = sorted(line.accepts.get("categories", ()))
    data = _without_nothing(
        {
            "modifierExtension": [
                _extension("category", "Code", code) for code in categories
            ],
            "resource": [
                {"meaning": "authoredby", "reference": _organisation(owner)}
                for owner in sorted(line.accepts.get("owner", ()))
            ],
            "security": [_label(label) for label in sorted(line.labels_any or ())],
        }
    )
    return [data] if data else []


def _activity(line: Line) -> list[Json]:
    parties = line.accepts.get("recipients", frozenset())
    activity = _without_nothing(
        {
            "actor": [
                _organisation(each) for each in sorted(parties & line.signed or parties)
            ],
            "action": [
                _concept(f"{_OURS}:operation", code)
                for code in sorted(line.accepts.get("operations", ()))
            ],
            "purpose": [
                _purpose(code) for code in sorted(line.accepts.get("purposes", ()))
            ],
        }
    )
    return [activity] if activity else []


def _purpose(code: str) -> Json:
    hl7 = {"system": f"{_HL7}/v3-ActReason", "code": PURPOSES[code].hl7}
    return {"coding": [hl7, {"system": f"{_OURS}:purpose", "code": code}]}


def _limits(view: View) -> Iterator[Json]:
    for axis in AXES:
        if axis in view.axes:
            limit = _concept(f"{_OURS}:obligation", axis)
            if axis == "no_onward":
                onward = {"system": f"{_HL7}/v3-ActCode", "code": _NO_ONWARD}
                limit["coding"].append(onward)
            yield {**limit, "text": f"{axis}: {_words(getattr(view, axis))}"}


def _words(demanded: object) -> str:
    if not isinstance(demanded, frozenset):
        return str(demanded).lower()
    return ", ".join(
        " ".join(each) if isinstance(each, tuple) else each for each in sorted(demanded)
    )


def _label(code: str) -> Json:
    if code in _CONFIDENTIALITY:
        return {"system": f"{_HL7}/v3-Confidentiality", "code": code}
    system = f"{_HL7}/v3-ActCode" if code in _SENSITIVITY else f"{_OURS}:label"
    return {"system": system, "code": code}


def _organisation(ods: str) -> Json:
    return {"type": "Organization", "identifier": {"system": _ODS, "value": ods}}


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _extension(name: str, kind: str, value: object) -> Json:
    return {"url": f"{_OURS}:{name}", f"value{kind}": value}


def _without_nothing(element: Json) -> Json:
    """FHIR has no empty element: what says nothing is left out."""
    return {name: held for name, held in element.items() if held}
