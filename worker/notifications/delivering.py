"""Deliveries: what is due is sent, to many receivers at the same time, and what became of it is written down."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

import structlog

from worker import crashpoints
from worker.notifications import mail, webhooks
from worker.notifications.backoff import pause_after
from worker.notifications.mail import FailedRows
from worker.notifications.message import Answer, Message, Target
from worker.queries import deliveries
from worker.queries.deliveries import Taken, Terms, Told
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import EndpointKind, PeriodicTask

Send = Callable[[Target, Message], Awaitable[Answer]]

log = structlog.get_logger()

# After this time a run takes nothing more: it ends once all that it has sent is answered.
RUN_SECONDS: Final = 35.0
# Sent at the same time by one run. Mail has a server in common: should that hang, webhooks go on.
ROOM: Final[Mapping[EndpointKind, int]] = MappingProxyType({EndpointKind.WEBHOOK: 128, EndpointKind.EMAIL: 16})
_LOOK_AGAIN_SECONDS: Final = 0.5
# What is answered within this time is written down together.
_COLLECT_SECONDS: Final = 0.005
_LEASE_MARGIN: Final = timedelta(seconds=20)
_GIVEN_UP_AT_ONCE: Final = 10_000
_GONE: Final = "the receiver answered 410 Gone"
_NEVER_TRIED: Final = "not tried: the endpoint has failed for all this time"


def deliver_due(runtime: Runtime, failed_rows: FailedRows) -> int:
    """Try what is due until nothing is, or for half a minute; returns how many deliveries were tried or given up."""
    return _give_up(runtime) + asyncio.run(_deliver(runtime, failed_rows))


def _give_up(runtime: Runtime) -> int:
    with runtime.transaction() as connection:
        lifetime = runtime.settings.delivery_lifetime
        return deliveries.give_up(connection, lifetime, _NEVER_TRIED, _GIVEN_UP_AT_ONCE)


async def _deliver(runtime: Runtime, failed_rows: FailedRows) -> int:
    async with webhooks.open_client(runtime.settings) as client:
        senders: dict[EndpointKind, Send] = {
            EndpointKind.WEBHOOK: partial(webhooks.post, client, runtime.settings),
            EndpointKind.EMAIL: mail.Mailer(runtime.settings, failed_rows).send,
        }
        return await _Run(runtime, senders).carry_out()


@dataclass
class _Run:
    """Sends; a receiver that hangs occupies its own few places only."""

    runtime: Runtime
    senders: Mapping[EndpointKind, Send]
    flying: dict[asyncio.Task[Told], EndpointKind] = field(default_factory=dict)

    async def carry_out(self) -> int:
        """Returns how many attempts were made."""
        attempts, told = 0, list[Told]()
        ends_at = time.monotonic() + RUN_SECONDS
        while True:
            terms = self._terms() if time.monotonic() < ends_at else []
            # Meanwhile others are sent and answered.
            for taken in await asyncio.to_thread(_exchange, self.runtime, told, terms):
                attempts += 1
                self.flying[asyncio.create_task(self._attempt(taken))] = taken.kind
            if not self.flying:
                if not terms:
                    self.runtime.doorbell.nudge(PeriodicTask.DELIVER)
                return attempts
            told = await self._landed()

    def _terms(self) -> list[Terms]:
        taken = list(self.flying.values())
        return [
            Terms(kind, room - taken.count(kind), self.runtime.settings.webhook_concurrency, lease)
            for kind, room in ROOM.items()
            if room > taken.count(kind) and (lease := _lease(self.runtime.settings, kind))
        ]

    async def _landed(self) -> list[Told]:
        done, _ = await asyncio.wait(self.flying, timeout=_LOOK_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if done:
            await asyncio.sleep(_COLLECT_SECONDS)
        landed = [task for task in self.flying if task.done()]
        for task in landed:
            del self.flying[task]
        return [task.result() for task in landed]

    async def _attempt(self, taken: Taken) -> Told:
        try:
            answer = await self.senders[taken.kind](_target(self.runtime, taken), _message(taken))
        except Exception as error:  # one delivery's fault is no other's
            log.exception("delivery failed", event_id=taken.event_id, endpoint_key=taken.endpoint_key)
            answer = Answer(delivered=False, status=None, error=f"not sent, by claimd's own fault: {error!r}")
        crashpoints.reach("worker.notifications.delivering._Run._attempt:sent")
        return _told(taken, answer)


def _exchange(runtime: Runtime, told: Sequence[Told], terms: Sequence[Terms]) -> list[Taken]:
    """Write down what became of attempts, and take others."""
    if not told and not terms:
        return []
    with runtime.transaction() as connection:
        if told:
            deliveries.record_told(connection, told)
        for gone in {each.endpoint_key for each in told if each.gone}:
            deliveries.disable_endpoint(connection, gone, _GONE)
        return [taken for each in terms for taken in deliveries.take_due(connection, each)]


def _lease(settings: Settings, kind: EndpointKind) -> timedelta:
    seconds = {EndpointKind.WEBHOOK: settings.webhook_timeout, EndpointKind.EMAIL: mail.TIME_OUT}[kind]
    return seconds + _LEASE_MARGIN


def _target(runtime: Runtime, taken: Taken) -> Target:
    secrets = tuple(runtime.keys.open_secret(taken.endpoint_key, sealed) for sealed in taken.sealed)
    return Target(taken.endpoint_key, taken.kind, taken.target, secrets)


def _message(taken: Taken) -> Message:
    return Message(taken.event_id, taken.type, taken.occurred_at, taken.organization_id, taken.data, taken.batch_id)


def _told(taken: Taken, answer: Answer) -> Told:
    return Told(
        key=taken.key,
        fence=taken.fence,
        endpoint_key=taken.endpoint_key,
        delivered=answer.delivered,
        status=answer.status,
        error=answer.error,
        pause=pause_after(taken.attempts + 1, answer.retry_after),
        hold=answer.retry_after,
        gone=answer.gone,
    )
