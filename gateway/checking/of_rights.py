"""Whether a source lets us do more than read, and holds us to reading."""

import asyncio

from adapters.contract import Entitled
from adapters.errors import AdapterError
from gateway.checking.registered import Checked
from gateway.checking.remedies import remedy_of
from gateway.checking.report import Finding, note, ok, wrong

_QUESTION = "reads-only"


async def rights(checked: Checked) -> list[Finding]:
    """One finding of a source that can tell; none of any other."""
    adapter, place = checked.source.adapter, checked.registered.file
    if not isinstance(adapter, Entitled):
        return []
    try:
        async with asyncio.timeout(checked.registered.settings.limits.source_s):
            held = await adapter.rights()
    except TimeoutError:
        return [note(_QUESTION, "took too long", where=place, remedy="Check again.")]
    except AdapterError as error:
        says = f"{error.reason}: {error}"
        return [note(_QUESTION, says, where=place, remedy=remedy_of(error))]
    if not held.is_read_only:
        says = "the source does not hold what we ask to reading"
        remedy = "Report it: our own connections ask to be held so."
        return [wrong(_QUESTION, says, where=place, remedy=remedy)]
    if held.may_write:
        says = "we are held to reading, by a user who might write as well"
        remedy = "Ask as a user who is granted SELECT alone: docs/databases.md."
        return [note(_QUESTION, says, where=place, remedy=remedy)]
    return [ok(_QUESTION, "nothing more is granted, and we are held to reading")]
