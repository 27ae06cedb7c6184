"""A signature of a document kept as a file: who signed which very text, and when."""

from pathlib import Path

import yaml

from adapters.errors import ConfigurationError
from gateway.clock import Clock
from gateway.policy.published import read_yaml
from policies.clauses import Agreement
from policies.documents import content_hash, parse_document
from policies.errors import Invalid


def sign(
    path: Path, organisation: str, *, person: str, capacity: str, clock: Clock
) -> str:
    """The signature as a YAML document, to keep beside the agreement.

    ConfigurationError unless the file holds exactly one agreement, to which the
    organisation is a party: another's signature would count for nothing.
    """
    agreements = []
    for data in read_yaml(path):
        try:
            document = parse_document(data, where=path.name)
        except Invalid as error:
            raise ConfigurationError(str(error), file=str(path)) from None
        if isinstance(document, Agreement):
            agreements.append(document)
    if len(agreements) != 1:
        message = "holds no agreement, or several. Sign a file that holds one."
        raise ConfigurationError(message, file=str(path))
    agreement = agreements[0]
    parties = agreement.parties
    if organisation not in parties.providers | parties.recipients:
        message = "is signed for a body that is not a party. Use a party's ODS code."
        raise ConfigurationError(message, file=str(path))
    signature = {
        "kind": "signature",
        "document": agreement.id,
        "hash": content_hash(agreement),
        "organisation": organisation,
        "person": person,
        "capacity": capacity,
        "at": clock.now().isoformat(timespec="seconds"),
    }
    return "---\n" + yaml.safe_dump(signature, sort_keys=False)
