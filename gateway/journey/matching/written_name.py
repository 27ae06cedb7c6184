"""A person's name as a source wrote it, taken apart so that two can be compared.

Nothing is corrected: case, accents, titles and punctuation are what is set aside.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

import msgspec

_TITLES: Final = frozenset(
    {
        *("mr", "mrs", "ms", "miss", "mx", "master", "dr", "prof", "professor"),
        *("sir", "dame", "lady", "lord", "rev", "revd", "reverend", "fr", "sr"),
        *("jr", "jnr", "snr", "junior", "senior"),
    }
)
_PARTICLES: Final = frozenset(
    {
        *("de", "del", "della", "den", "der", "di", "dos", "du", "la", "le", "van"),
        *("von", "da", "das", "do", "al", "el", "bin", "ibn", "bint", "st", "ap", "ab"),
    }
)
# What is written where a name is not known: it tells nobody apart.
_NOBODY: Final = frozenset(
    {
        *("unknown", "unk", "unnamed", "baby", "infant", "twin", "triplet", "not"),
        *("known", "male", "female", "boy", "girl", "test", "patient", "anonymous"),
        *("none", "null", "nil", "na", "of", "one", "two", "i", "ii", "iii"),
    }
)
# Letters that decomposing leaves as they are.
_LETTERS: Final = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "\u0131": "i",  # dotless
        **dict.fromkeys("\u2018\u2019\u02bc`", "'"),
        **dict.fromkeys("\u2010\u2011\u2013\u2014", "-"),
    }
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:['.-]+[^\W\d_]+)*")


class Written(msgspec.Struct, frozen=True, gc=False):
    """Forenames in their order, and the surname's parts; either may be empty."""

    forenames: tuple[str, ...]
    surnames: tuple[str, ...]

    def __repr__(self) -> str:
        return "Written()"


@lru_cache(maxsize=4096)
def read_name(text: str) -> Written:
    """A name written `Given Family` or `FAMILY, Given`, titles set aside.

    A word alone is taken for a surname. Words that say a name is not known are no
    name: `Baby Smith` has no forename.
    """
    before, comma, after = folded(text).partition(",")
    if comma:
        return Written(_named(_words(after)), _named(_parts(_words(before))))
    words = _words(before)
    cut = len(words) - 1
    while cut > 1 and words[cut - 1] in _PARTICLES:
        cut -= 1
    return Written(_named(words[: max(cut, 0)]), _named(_parts(words[max(cut, 0) :])))


def folded(text: str) -> str:
    """Lower case, without accents."""
    lowered = text.casefold().translate(_LETTERS)
    apart = unicodedata.normalize("NFKD", lowered)
    return "".join(each for each in apart if not unicodedata.combining(each))


def _words(text: str) -> tuple[str, ...]:
    found = (each.replace("'", "").strip(".") for each in _WORD.findall(text))
    return tuple(each for each in found if each not in _TITLES)


def _parts(words: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of a surname: `Smith-Jones` has two, `van der Berg` one."""
    whole = "".join(words[:-1]) + words[-1] if _is_one(words) else " ".join(words)
    return tuple(part for part in re.split(r"[\s-]+", whole) if part)


def _is_one(words: tuple[str, ...]) -> bool:
    return len(words) > 1 and all(word in _PARTICLES for word in words[:-1])


def _named(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in _NOBODY)
