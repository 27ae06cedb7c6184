"""Who can be told: the channels of each organisation, as the configuration says."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Where notices go, by organisation (ODS code) and recipient."""

    addresses: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)

    def of(self, organisation: str, recipient: str) -> str | None:
        """The address, None where there is none."""
        return self.addresses.get((organisation, recipient))

    def duties(self, recipient: str, owner: str) -> frozenset[str]:
        """The duties to tell that can be done for a recipient of an owner's data.

        The privacy officer told is the recipient's own; the patient has no channel.
        """
        told = {
            "notify:privacy-officer": (recipient, "privacy-officer"),
            "notify:owner": (owner, "owner"),
        }
        return frozenset(duty for duty, who in told.items() if who in self.addresses)


def channels_of(settings: Settings) -> Channels:
    """The channels of a configuration."""
    return Channels(
        addresses={
            (each.ods, recipient): address
            for each in settings.organisations
            for recipient, address in (
                ("privacy-officer", each.privacy_officer),
                ("owner", each.data_owner),
            )
            if address is not None
        }
    )
