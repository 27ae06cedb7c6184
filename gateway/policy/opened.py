"""Policy as one process has it open: out of files for good, or out of the store."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.policy.in_force import InForce
from gateway.policy.lifecycle import Around, PolicyAdmin
from gateway.policy.occasion import known_of
from gateway.policy.published import load_policy
from gateway.policy.reminders import Reminders, Told
from gateway.problems import RequestError
from gateway.settings import Settings
from gateway.store.database import Database
from policies.analysis.replay import Recorded
from policies.compile import PolicySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the life of policy may use of a gateway, where it is there.

    `recorded` gives the decisions that a draft is tried on; `told` are those who are
    reminded of what ends.
    """

    recorded: Callable[[], Awaitable[Sequence[Recorded]]] | None = None
    told: Told | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPolicy:
    """What tells the set in force, and in the store's case what changes it.

    `current` raises RequestError policy-unavailable where none may be relied on.
    """

    current: Callable[[], PolicySet]
    shadow: Callable[[], PolicySet | None] = lambda: None
    in_force: InForce | None = None
    admin: PolicyAdmin | None = None
    reminders: Reminders | None = None

    async def start(self) -> None:
        """See that a set is in force, and follow it.

        Where the store has none that can be verified we start all the same, and are
        not ready. AuditUnavailable if the first set cannot be recorded.
        """
        if self.admin is not None:
            try:
                await self.admin.start()
            except RequestError as refusal:
                if refusal.code != "policy-unavailable":
                    raise
        if self.in_force is not None:
            await self.in_force.start()
        if self.reminders is not None:
            self.reminders.start()

    @property
    def is_ready(self) -> bool:
        """Whether there is a set to decide by."""
        return self.in_force is None or self.in_force.is_ready

    async def aclose(self) -> None:
        """Follow no more. Twice is safe."""
        if self.reminders is not None:
            await self.reminders.aclose()
        if self.in_force is not None:
            await self.in_force.aclose()


def open_policy(
    settings: Settings,
    database: Database,
    trail: Trail,
    *,
    clock: Clock,
    beside: Beside | None = None,
) -> OpenPolicy:
    """The policy of a configuration, not started. ConfigurationError for its files."""
    if settings.policy.source == "files":
        loaded = load_policy(settings)
        return OpenPolicy(current=lambda: loaded)
    beside = beside or Beside()
    in_force = InForce(database, clock, settings.policy)
    around = Around(
        known=known_of(settings),
        follow=in_force.follow,
        recorded=beside.recorded,
    )
    return OpenPolicy(
        current=in_force.current,
        shadow=in_force.shadow,
        in_force=in_force,
        admin=PolicyAdmin(database, trail, clock, around=around),
        reminders=None
        if beside.told is None
        else Reminders(database, trail, clock, told=beside.told),
    )
