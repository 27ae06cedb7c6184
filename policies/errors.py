"""What can be wrong about a policy, for whoever wrote it.

    PolicyError
    └── Invalid   a document is wrong: place, and what would be right

Deciding never raises: it denies, because.
"""


class PolicyError(Exception):
    """A policy cannot be used."""


class Invalid(PolicyError):
    """A document is wrong; `place` says where, the message what would be right.

    `pointer` is the same place as a JSON pointer (RFC 6901) and `code` the kind of
    mistake: unknown, missing, too-large, or invalid. Both are made of our own names
    alone: of a key that is not ours only the parent is pointed at.
    """

    def __init__(
        self, place: str, message: str, *, pointer: str = "", code: str = "invalid"
    ) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message
        self.pointer = pointer
        self.code = code
