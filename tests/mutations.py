"""Bytes spoilt as disks, wires and half-finished copies spoil them, from a seed."""

from random import Random

# How often each is drawn: flips find the most, so they are tried the most.
_WAYS = ("flip", "flip", "flip", "cut", "double", "drop")


def mutated(body: bytes, random: Random) -> bytes:
    """The same bytes with bits flipped, their end cut off, or a piece twice or gone."""
    way = random.choice(_WAYS)
    if not body:
        return body
    if way == "flip":
        return _flipped(body, random)
    if way == "cut":
        return body[: random.randrange(len(body))]
    start = random.randrange(len(body))
    end = min(len(body), start + random.choice((1, 7, 80, 900, 4096)))
    piece = body[start:end]
    return body[:start] + (piece * 2 if way == "double" else b"") + body[end:]


def _flipped(body: bytes, random: Random) -> bytes:
    spoilt = bytearray(body)
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        spoilt[random.randrange(len(spoilt))] ^= 1 << random.randrange(8)
    return bytes(spoilt)
