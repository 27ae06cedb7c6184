"""Source files: TOML an engineer at the source could write, checked as a whole.

Every refusal names the file, the line, the key and what to do about it.
"""

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from adapters.errors import ConfigurationError

_TABLE: Final = re.compile(r"\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}\s*(?:#.*)?")
_KEY: Final = re.compile(
    r"""\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*="""
)


class Settings(BaseModel):
    """What every part of a source file obeys: no unknown key, nothing changes later."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, strict=False
    )


def _is_reference(given: str) -> str:
    if re.fullmatch(r"env:[A-Za-z_]\w*|file:.+", given) is None:
        message = 'is no reference to a secret. Write "env:NAME" or "file:/path"'
        raise ValueError(message)
    return given


# Where a secret is, never the secret.
SecretReference = Annotated[str, AfterValidator(_is_reference)]
Model = TypeVar("Model", bound=BaseModel)


def fingerprint(path: Path) -> str:
    """`sha256:` and the digest of the file, which provenance names."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def load(path: Path) -> dict[str, Any]:
    """The file's tables. ConfigurationError if it is missing or is not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        message = "there is no such file. Correct the path, or create the file."
        raise ConfigurationError(message, file=str(path)) from None
    except UnicodeDecodeError:
        message = "is not UTF-8. Save the file as UTF-8."
        raise ConfigurationError(message, file=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+)", str(error))
        message = f"is not TOML ({error}). Correct that line."
        raise ConfigurationError(
            message, file=str(path), line=int(found[1]) if found else None
        ) from None


def kind_of(path: Path) -> str:
    """The `kind` a source file names."""
    kind = load(path).get("kind")
    if not isinstance(kind, str):
        message = 'is missing. Say which kind of source this is: kind = "fhir".'
        raise ConfigurationError(message, file=str(path), key="kind")
    return kind


def read(path: Path, model: type[Model]) -> Model:
    """The file as `model`; ConfigurationError for the first thing that is wrong."""
    return check(path, load(path), model)


def check(
    path: Path,
    tables: Mapping[str, Any],
    model: type[Model],
    *,
    context: Mapping[str, Any] | None = None,
) -> Model:
    """Tables already loaded from `path` as `model`; errors as `read` gives them."""
    try:
        return model.model_validate(tables, context=context)
    except ValidationError as error:
        raise _explained(path, model, error) from None


def wrong(path: Path, keys: Sequence[str | int], message: str) -> ConfigurationError:
    """An error at a key of the file, for what only a whole file can show."""
    dotted = ".".join(str(key) for key in keys)
    return ConfigurationError(
        message, file=str(path), key=dotted or None, line=line_of(path, keys)
    )


def line_of(path: Path, keys: Sequence[str | int]) -> int | None:
    """The line a key stands on, or its nearest table's; None if neither is found."""
    wanted = tuple(keys)
    best: tuple[int, int] | None = None
    table: tuple[str | int, ...] = ()
    arrays: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if header := _TABLE.fullmatch(line):
            repeats = line.lstrip().startswith("[[")
            table = _table(_parts(header[1]), arrays, repeats=repeats)
            here = table
        elif key := _KEY.match(line):
            here = table + _parts(key[1])
        else:
            continue
        depth = _shared(here, wanted)
        if depth == len(here) and depth and (best is None or depth > best[0]):
            best = (depth, number)
    return best[1] if best else None


def _parts(dotted: str) -> tuple[str, ...]:
    found = re.findall(r"""\"([^\"]*)\"|'([^']*)'|([\w-]+)""", dotted)
    return tuple("".join(groups) for groups in found)


def _table(
    parts: tuple[str, ...],
    arrays: dict[tuple[str | int, ...], int],
    *,
    repeats: bool,
) -> tuple[str | int, ...]:
    """Where a header stands, counting the elements of arrays of tables."""
    here: tuple[str | int, ...] = ()
    for position, part in enumerate(parts):
        here = (*here, part)
        if repeats and position == len(parts) - 1:
            arrays[here] = arrays.get(here, -1) + 1
        if here in arrays:
            here = (*here, arrays[here])
    return here


def _shared(here: tuple[str | int, ...], wanted: tuple[str | int, ...]) -> int:
    depth = 0
    for mine, theirs in zip(here, wanted, strict=False):
        if mine != theirs:
            break
        depth += 1
    return depth


def _explained(
    path: Path, model: type[BaseModel], error: ValidationError
) -> ConfigurationError:
    found = error.errors(include_url=False, include_input=False, include_context=True)
    # A misspelt key is told before the right one that is missed: it has a line.
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    keys, beside = _written(model, first["loc"])
    if first["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        # One of several tables, told apart by a key of theirs: `kind`, as a rule.
        known = first["ctx"].get("expected_tags") or "those of the guide"
        keys = (*keys, first["ctx"]["discriminator"].strip("'"))
        message = f"tells which table this is. Use one of {known}."
    elif first["type"] == "extra_forbidden":
        message = "is not a setting here. " + _nearest(str(keys[-1]), beside)
    elif first["type"] == "missing":
        message = "is missing. Add it."
    else:
        message = f"{first['msg'].removeprefix('Value error, ')}. Correct it."
    return wrong(path, keys, message.replace("..", "."))


def _written(
    model: type[BaseModel], keys: tuple[str | int, ...]
) -> tuple[tuple[str | int, ...], set[str]]:
    """The keys as the file has them, and what may stand beside the last of them.

    The tag that tells tables apart is no key of any file: it is left out.
    """
    found, beside, here = list[str | int](), set[str](), {model}
    for key in keys:
        tagged = {each for each in here if len(here) > 1 and _is_tagged(each, key)}
        if tagged:
            here = tagged
            continue
        found.append(key)
        if isinstance(key, str):
            beside = {name for each in here for name in each.model_fields}
            fields = [m.model_fields[key] for m in here if key in m.model_fields]
            here = {m for f in fields for m in _models(f.annotation)}
    return tuple(found), beside


def _is_tagged(model: type[BaseModel], key: str | int) -> bool:
    return any(key in get_args(f.annotation) for f in model.model_fields.values())


def _nearest(key: str, known: set[str]) -> str:
    close = difflib.get_close_matches(key, sorted(known), n=1)
    if close:
        return f"Did you mean {close[0]}?"
    names = ", ".join(sorted(known))
    return f"Remove it; known here: {names}." if known else "Remove it."


def _models(annotation: object) -> set[type[BaseModel]]:
    """The models inside an annotation: in `Column | None`, in `list[Column]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {m for inner in get_args(annotation) for m in _models(inner)}
