"""The policy set in force: agreements, local rules and signatures kept as files."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from adapters import nhs_number
from adapters.errors import ConfigurationError
from gateway.settings import Settings
from policies.clauses import Agreement, LocalRule, Signature, parts_of
from policies.compile import PolicySet, compile_set
from policies.documents import parse_document
from policies.errors import Invalid

_FILE_BYTES: Final = 1024 * 1024


class _Strings(yaml.BaseLoader):
    """Every scalar stays text (`5E1`, `no`, `012` are codes); no key comes twice."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - the library's own signature
    ) -> dict[object, object]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(
                None, None, "a key stands twice", node.start_mark
            )
        return mapping

    def line_mark(self) -> yaml.Mark:
        """Where the loader stands."""
        return self.get_mark()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # An alias lets a small file grow without end; a document to sign needs none.
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                None, None, "an alias is not taken", self.line_mark()
            )
        return super().compose_node(parent, index)


def load_policy(settings: Settings) -> PolicySet:
    """The set that the policy files make, compiled.

    ConfigurationError, naming file, place and remedy, for the first thing wrong.
    """
    documents: list[Agreement | LocalRule] = []
    signatures: list[Signature] = []
    for document in _read_all(settings.policy_files()):
        if isinstance(document, Signature):
            signatures.append(document)
        else:
            documents.append(document)
    try:
        return compile_set(documents, signatures)
    except Invalid as error:
        raise ConfigurationError(str(error), file="policy") from None


def _read_all(paths: Iterable[Path]) -> Iterator[Agreement | LocalRule | Signature]:
    for path in paths:
        for data in read_yaml(path):
            try:
                document = parse_document(data, where=path.name)
            except Invalid as error:
                raise ConfigurationError(str(error), file=str(path)) from None
            _check_ids(document, path)
            yield document


def _check_ids(document: Agreement | LocalRule | Signature, path: Path) -> None:
    # Each decision is recorded under these: what holds a number could not be.
    if isinstance(document, Signature):
        return
    ids = (document.id, *(each.id for each in parts_of(document)))
    if any(nhs_number.is_within(each) for each in ids):
        message = "has an id that holds an NHS number. Give it another."
        raise ConfigurationError(message, file=str(path))


def read_yaml(path: Path) -> list[dict[str, object]]:
    """The documents of a YAML file, every scalar as text."""
    # With every scalar as text, a document without anything in it is the empty one.
    documents = [each for each in _read(path, yaml.load_all) if each != ""]
    if not all(isinstance(each, dict) for each in documents):
        message = "holds something that is not a document. Start it with kind:."
        raise ConfigurationError(message, file=str(path))
    return documents


def read_nodes(path: Path) -> list[yaml.Node]:
    """The same documents as nodes, each with the place where it stands."""
    found: list[yaml.Node] = _read(path, yaml.compose_all)
    return [each for each in found if each.value != ""]


def _read(path: Path, read: Callable[..., Iterable[Any]]) -> list[Any]:
    try:
        text = path.read_text("utf-8")
        if len(text) > _FILE_BYTES:
            message = "is larger than 1 MiB. Split it."
            raise ConfigurationError(message, file=str(path))
        return list(read(text, Loader=_Strings))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigurationError(
            f"is not YAML we read ({getattr(error, 'problem', 'unreadable')}). "
            "Correct that line.",
            file=str(path),
            line=mark.line + 1 if mark else None,
        ) from None
    except (UnicodeDecodeError, OSError):
        message = "cannot be read as UTF-8. Correct the file or its permissions."
        raise ConfigurationError(message, file=str(path)) from None
    except RecursionError:
        message = "is nested too deeply. Flatten it."
        raise ConfigurationError(message, file=str(path)) from None
