"""A page's bytes opened as a Bundle: in one go, or with each resource still raw."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from adapters.errors import Unreadable
from adapters.fhir.depth import is_deeper
from adapters.fhir.elements import BROKEN, Bundle, Entry, Meta, Typed
from adapters.fhir.stu3 import FOREIGN_PROFILES, PROFILE, is_foreign, refused
from adapters.fhir.tables import Version
from adapters.fhir.whole import WholeBundle, WholeEntry, whole

_BUNDLE: Final = msgspec.json.Decoder(Bundle)
_TYPED: Final = msgspec.json.Decoder(Typed)
_TYPE_FIRST: Final = re.compile(rb'\{\s*"resourceType"\s*:\s*"([A-Za-z]{1,64})"\s*[,}]')
_CONTROLS: Final = bytes(one for one in range(32) if one not in b"\t\n\r")
_STU3: Final = PROFILE.encode()
_STU3_END: Final = re.compile(re.escape(_STU3[1:]))
# It may stand anywhere in a record, and changes the meaning of what it stands in.
_MODIFIER: Final = b'"modifierExtension"'
_ABSENT: Final = b"data-absent-reason"
# Control characters can only stand in JSON as escapes, so bytes tell where they are.
_CONTROL_ESCAPES: Final = (b"\\u00", b"\\b", b"\\f")


class Written:
    """A page as it was written, for what only a record's own bytes can tell.

    Most pages hold nothing of the kind, and then no record is looked at.
    """

    def __init__(self, page: bytes, raws: tuple[msgspec.Raw, ...] | None) -> None:
        self._page = page
        self._raws = raws
        self._is_absent: bool | None = None
        self._has_modifiers = _MODIFIER in page
        self._has_escapes = _has_escapes(page)
        self.is_odd = self._has_modifiers or self._has_escapes

    def of(self, position: int) -> bytes:
        """The resource of the entry that stands there."""
        if self._raws is None:
            entries = _BUNDLE.decode(self._page).entry or ()
            self._raws = tuple(entry.resource for entry in entries)
        return bytes(self._raws[position])

    def has_modifier(self, position: int) -> bool:
        return self._has_modifiers and _MODIFIER in self.of(position)

    def has_escapes(self, position: int) -> bool:
        """Whether there may be control characters in it."""
        return self._has_escapes and _has_escapes(self.of(position))

    def is_absent(self, position: int) -> bool:
        """Whether it says why something is not told."""
        if self._is_absent is None:
            self._is_absent = _ABSENT in self._page
        return self._is_absent and _ABSENT in self.of(position)


def _has_escapes(written: bytes) -> bool:
    if b"\\" not in written:
        return False
    if written.count(b"\\") > len(written) >> 6:
        return any(one in written for one in _CONTROL_ESCAPES)
    # Few, as nearly always: from one to the next is the quickest way to look.
    at = written.find(b"\\")
    while at >= 0:
        if written.startswith(_CONTROL_ESCAPES, at):
            return True
        at = written.find(b"\\", at + 1)
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A Bundle of any type, or one bare resource taken for a Bundle of one."""

    bundle: Bundle  # without its entries
    entries: tuple[Entry | WholeEntry, ...] = field(repr=False)
    written: Written = field(repr=False)
    caveats: list[str]


def opened(body: bytes, depth: int, *, version: Version = "R4") -> Opened:
    """The page of a source that speaks this version of FHIR.

    Unreadable: `unreadable` (not JSON, UTF-8 or FHIR, too deep), `xml`, and `stu3` or
    `r4` where its profiles are of the other version.
    """
    page = _plain(body)
    caveats: list[str] = []
    try:
        bundle = _decoded(page, version)
    except Unreadable:
        cleaned = page.translate(None, delete=_CONTROLS)
        if cleaned == page:
            raise
        page, caveats = cleaned, ["control_characters"]
        bundle = _decoded(page, version)
    if is_deeper(page, depth):
        raise _unreadable("is nested too deeply")
    _refuse_foreign(page, bundle, version)
    raws = None
    if isinstance(bundle, Bundle):
        raws = tuple(entry.resource for entry in bundle.entry or ())
    return Opened(
        bundle=Bundle(
            bundle.resource_type, bundle.type, bundle.total, bundle.meta, bundle.link
        ),
        entries=bundle.entry or (),
        written=Written(page, raws),
        caveats=caveats,
    )


def _unreadable(what: str, reason: str = "unreadable") -> Unreadable:
    return Unreadable(reason, f"the source's reply {what}. Report it to the source.")


def _plain(body: bytes) -> bytes:
    """UTF-8 without its BOM. Other encodings are refused, never guessed."""
    page = body.removeprefix(b"\xef\xbb\xbf")
    # UTF-16 is full of NULs, which must not be taken for strays.
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in page[:2]:
        raise _unreadable("is not UTF-8")
    first = page[:256].lstrip()[:9].lower()
    if first.startswith((b"<!doctype", b"<html")):
        raise _unreadable("is a web page")
    if first.startswith(b"<"):
        raise _unreadable("is XML, which is not read yet", "xml")
    return page


def _decoded(page: bytes, version: Version) -> Bundle | WholeBundle:
    named = _TYPE_FIRST.match(page)
    # Only R4 is decoded in one go: STU3 is translated record by record.
    if version == "R4" and (named is None or named[1] == b"Bundle"):
        bundle = whole(page)
        if bundle is not None:
            return bundle
    try:
        if type_of(page) == "Bundle":
            return _BUNDLE.decode(page)
        # A page is read to its end, whatever it turns out to be.
        typed = _TYPED.decode(page).resource_type
    except BROKEN:
        raise _unreadable("is not JSON that can be read as FHIR") from None
    if typed is None:
        raise _unreadable("is JSON but not FHIR: it names no resource type")
    return Bundle(entry=(Entry(resource=msgspec.Raw(page)),))


def type_of(raw: bytes | msgspec.Raw) -> str | None:
    """The resource type, None where it names none. Raises what is in BROKEN."""
    # Nearly everybody writes the type first; the whole is read only where not.
    if found := _TYPE_FIRST.match(raw):
        return str(found[1], "ascii")
    return _TYPED.decode(raw).resource_type


def _refuse_foreign(
    page: bytes, bundle: Bundle | WholeBundle, version: Version
) -> None:
    """Profiles that say in their name that they are of the other version."""
    if version == "STU3":
        if not any(mark.encode() in page for mark in FOREIGN_PROFILES[version]):
            return
    # Without its first stroke, which stands in every address, it is sooner not found.
    elif _STU3_END.search(page) is None or _STU3 not in page:
        return
    metas = _metas(bundle) if isinstance(bundle, WholeBundle) else _metas_within(bundle)
    if any(is_foreign(version, meta.profile or ()) for meta in metas if meta):
        raise refused(version)


def _metas(bundle: WholeBundle) -> Iterator[Meta | None]:
    yield bundle.meta
    for entry in bundle.entry or ():
        if entry.resource is not None:
            yield entry.resource.meta


def _metas_within(bundle: Bundle) -> Iterator[Meta | None]:
    yield bundle.meta
    for entry in bundle.entry or ():
        try:
            yield _TYPED.decode(entry.resource).meta
        except BROKEN:
            continue  # none there, or rejected, and counted, where records are read
