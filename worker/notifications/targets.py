"""What an endpoint may be: checked before it is stored."""

import re
from collections.abc import Sequence
from typing import Final, assert_never

from worker.errors import Invalid
from worker.notifications.addresses import checked_url
from worker.settings import Settings
from worker.states import EndpointKind, EventType

EVERYTHING: Final = "*"
# A ping comes when it is asked for, whatever an endpoint subscribes to.
OFFERED: Final = tuple(each for each in EventType if each is not EventType.PING)
_MAX_LOCAL: Final = 64
_MAX_ADDRESS: Final = 254
_is_address = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
).fullmatch


def checked_target(settings: Settings, kind: EndpointKind, target: str) -> str:
    """`target` as it is stored.

    Raises:
        Invalid: nothing can be sent there.
    """
    match kind:
        case EndpointKind.WEBHOOK:
            return checked_url(target, allow_private=settings.webhook_allow_private)
        case EndpointKind.EMAIL:
            return _checked_address(target.strip())
        case _:
            assert_never(kind)


def checked_events(events: Sequence[str]) -> list[str]:
    """The types without repetition, in a fixed order; `*` stands for all, also for those of later versions.

    Raises:
        Invalid: there is none, or one that does not exist.
    """
    unknown = sorted(set(events) - {EVERYTHING, *OFFERED})
    if unknown or not events:
        raise Invalid(f"An endpoint takes * or some of {', '.join(OFFERED)}.", parameter="events", unknown=unknown)
    return [EVERYTHING] if EVERYTHING in events else [each.value for each in OFFERED if each in events]


def masked(kind: EndpointKind, target: str) -> str:
    """`target` for those who may not use it: the rest of a webhook's address is often a secret."""
    if kind is EndpointKind.EMAIL:
        return target
    scheme, host, *rest = target.split("/", 3)[0], target.split("/", 3)[2], target.split("/", 3)[3:]
    return f"{scheme}//{host}/" + ("…" if any(rest) else "")


def _checked_address(address: str) -> str:
    local = address.rpartition("@")[0]
    if not _is_address(address) or len(local) > _MAX_LOCAL or len(address) > _MAX_ADDRESS:
        raise Invalid("This is no address for mail, as in name@example.com.", parameter="target")
    return address
