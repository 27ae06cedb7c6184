"""What can be wrong about a policy, for whoever wrote it.

    PolicyError
    └── Invalid   a document is wrong: place, and what would be right

Deciding never raises: it denies, because.
"""


class PolicyError(Exception):
    """A policy cannot be used."""


class Invalid(PolicyError):
    """A document is wrong; `place` says where, the message what would be right."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message
