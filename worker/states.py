"""The states of a batch, the outcomes of a row and the words that the whole program shares.

What the database stores of an outcome, a reason or a naming is its number: numbers are never
given to another meaning.
"""

from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final


class BatchState(StrEnum):
    """Where a batch stands: its meaning, its exits, and what a crash leaves."""

    # Committed with its input and its first work item; nobody has looked at it yet. Goes to
    # `resolving` by a worker's lease. A crash leaves it as it is: the sweep rings for it again.
    RECEIVED = "received"
    # A worker reads the input and looks its identifiers up; nothing is claimed. Goes to `applying`,
    # or straight to an end for a small batch. A crash leaves a dead lease, which the next worker takes.
    RESOLVING = "resolving"
    # Chunks are being claimed, each in a transaction of its own. Goes to `previewed`, `completed`,
    # `rejected`, `cancelled` or `failed` by the finish step. A crash loses only chunks that had not been committed.
    APPLYING = "applying"
    # A preview is ready and holds nothing. Goes to `resolving` by its confirmation, to `cancelled` by
    # cancelling it or by lapsing. A crash changes nothing.
    PREVIEWED = "previewed"
    # Every row has its result. Goes to `reverting`, within the hold window, if it is a claim. A crash changes nothing.
    COMPLETED = "completed"
    # The input as a whole cannot be used: nothing was claimed. No exit.
    REJECTED = "rejected"
    # Stopped by its owner: what was applied stays, the rest is `not_processed`. Goes to `reverting`.
    CANCELLED = "cancelled"
    # claimd's own fault, after three attempts that cost a worker. Goes back to work by resume.
    FAILED = "failed"
    # Its claims are being given back by its child. Goes to `reverted` when that ends. A crash changes nothing here.
    REVERTING = "reverting"
    # All its claims that could be given back were. No exit.
    REVERTED = "reverted"


_S = BatchState
TRANSITIONS: Final = MappingProxyType(
    {
        _S.RECEIVED: frozenset({_S.RESOLVING}),
        _S.RESOLVING: frozenset({_S.APPLYING, _S.PREVIEWED, _S.COMPLETED, _S.REJECTED, _S.CANCELLED, _S.FAILED}),
        _S.APPLYING: frozenset({_S.PREVIEWED, _S.COMPLETED, _S.REJECTED, _S.CANCELLED, _S.FAILED}),
        _S.PREVIEWED: frozenset({_S.RESOLVING, _S.CANCELLED}),
        _S.COMPLETED: frozenset({_S.REVERTING}),
        _S.CANCELLED: frozenset({_S.REVERTING}),
        _S.FAILED: frozenset({_S.RESOLVING, _S.APPLYING}),
        _S.REVERTING: frozenset({_S.REVERTED}),
        _S.REJECTED: frozenset[BatchState](),
        _S.REVERTED: frozenset[BatchState](),
    }
)

# In these a batch's results can be read.
READABLE: Final = frozenset({_S.PREVIEWED, _S.COMPLETED, _S.REJECTED, _S.CANCELLED, _S.FAILED, _S.REVERTED})
# In these a worker still has something to do.
RUNNING: Final = frozenset({_S.RECEIVED, _S.RESOLVING, _S.APPLYING, _S.REVERTING})


class Operation(StrEnum):
    """What a batch does with the devices that its rows name."""

    CLAIM = "claim"
    REVERT = "revert"  # gives back what its parent has claimed
    PLAN = "plan"  # changes when subscriptions start


class Mode(StrEnum):
    PARTIAL = "partial"
    ATOMIC = "atomic"


class Outcome(StrEnum):
    """What became of one device of one row, in order of precedence as CONTRACT has it."""

    CLAIMED = "claimed"
    CLAIMABLE = "claimable"
    ALREADY_YOURS = "already_yours"
    ALREADY_CLAIMED = "already_claimed"
    NOT_CLAIMABLE = "not_claimable"
    NOT_FOUND = "not_found"
    DUPLICATE = "duplicate"
    INVALID_IDENTIFIER = "invalid_identifier"
    NOT_PROCESSED = "not_processed"
    RELEASED = "released"  # of a revert: free again, as before the claim
    NOT_YOURS = "not_yours"  # of a revert or a plan: not held by the project, or by another batch
    ALREADY_ACTIVE = "already_active"  # of a revert or a plan: its prepaid time is running, or over
    SCHEDULED = "scheduled"  # of a plan: starts when the plan says

    @property
    def number(self) -> int:
        return _OUTCOME_NUMBERS[self]

    @classmethod
    def of(cls, number: int) -> "Outcome":
        return _OUTCOMES[number]


_OUTCOME_NUMBERS: Final = {outcome: number for number, outcome in enumerate(Outcome, start=1)}
_OUTCOMES: Final = {number: outcome for outcome, number in _OUTCOME_NUMBERS.items()}
PENDING: Final = 0  # resolved, and not yet decided by an apply step

# A row with any other outcome is one that its sender has to look at.
SUCCESSES: Final = frozenset(
    {
        Outcome.CLAIMED,
        Outcome.CLAIMABLE,
        Outcome.ALREADY_YOURS,
        Outcome.DUPLICATE,
        Outcome.RELEASED,
        Outcome.SCHEDULED,
    }
)
# What an operation is meant to end in; the table of results has an index on all others.
USUAL: Final = frozenset({Outcome.CLAIMED, Outcome.RELEASED, Outcome.SCHEDULED})
# One of these rejects an atomic batch.
BAD: Final = frozenset({Outcome.NOT_FOUND, Outcome.INVALID_IDENTIFIER, Outcome.ALREADY_CLAIMED, Outcome.NOT_CLAIMABLE})


class Reason(StrEnum):
    """Why something cannot be an identifier."""

    MANGLED_BY_SPREADSHEET = "mangled_by_spreadsheet"
    TOO_LONG = "too_long"
    BAD_CHARACTER = "bad_character"
    EMPTY = "empty"
    MASKED_CODE = "masked_code"
    MISSING_CODE = "missing_code"
    MISSING_SERIAL_NUMBER = "missing_serial_number"
    BAD_ACTIVATION_DATE = "bad_activation_date"

    @property
    def number(self) -> int:
        return _REASON_NUMBERS[self]

    @classmethod
    def of(cls, number: int) -> "Reason":
        return _REASONS[number]


_REASON_NUMBERS: Final = {reason: number for number, reason in enumerate(Reason, start=1)}
_REASONS: Final = {number: reason for reason, number in _REASON_NUMBERS.items()}


class NamedBy(IntEnum):
    """How a row named its device: what it may be told of the kit and the serial number depends on it."""

    NOTHING = 0
    DEVICE_ID = 1
    KIT_ID = 2
    SERIAL_NUMBER = 3


class WorkKind(StrEnum):
    """One step of a batch that a worker takes by a lease."""

    RESOLVE = "resolve"
    APPLY = "apply"
    FINISH = "finish"


class Queue(StrEnum):
    """The only place where queues are named: batches of up to one chunk, and all larger ones."""

    INTERACTIVE = "interactive"
    BULK = "bulk"
    PERIODIC = "periodic"


class SubscriptionState(StrEnum):
    """Where the prepaid period of a device stands: its meaning, its exits, and what a crash leaves."""

    # In stock: nobody has claimed the device. Goes to `scheduled` with its claim.
    DORMANT = "dormant"
    # Claimed; `activate_at` is known once its batch has ended. Goes to `active` when that is due, back to `dormant`
    # when the batch is reverted. A crash changes nothing: what is due stays due.
    SCHEDULED = "scheduled"
    # The prepaid time is running. Goes to `expired` at its end.
    ACTIVE = "active"
    # The prepaid time is over. No exit.
    EXPIRED = "expired"


class PeriodicTask(StrEnum):
    """What beat asks for at intervals, by the names that Flower shows."""

    SWEEP = "maintenance.sweep"
    PRUNE = "maintenance.prune"
    ACTIVATE = "subscriptions.activate_due"
    EXPIRE = "subscriptions.expire_due"
    REMIND = "subscriptions.remind"
    DELIVER = "reports.deliver_due"
    DIGEST = "reports.digest"
    RETAIN = "retention.prune"


class EndpointKind(StrEnum):
    """By which channel an endpoint is told."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class DeliveryState(StrEnum):
    """Where an event stands on its way to one endpoint: its meaning, its exits, and what a crash leaves."""

    # To be tried at `next_attempt_at`, again and again. Goes to `delivered` when it was accepted, to `dead` when its
    # time is over. A crash leaves a lease that ends: it is tried again, under the same event's id.
    WAITING = "waiting"
    # The receiver has accepted it. Goes back to `waiting` by a replay.
    DELIVERED = "delivered"
    # Given up, or its endpoint was disabled or deleted. Goes back to `waiting` by a replay.
    DEAD = "dead"


class EventType(StrEnum):
    """What endpoints can subscribe to."""

    BATCH_COMPLETED = "batch.completed"
    BATCH_REJECTED = "batch.rejected"
    BATCH_FAILED = "batch.failed"
    BATCH_CANCELLED = "batch.cancelled"
    BATCH_REVERTED = "batch.reverted"
    SUBSCRIPTIONS_ACTIVATED = "subscriptions.activated"
    SUBSCRIPTIONS_EXPIRING = "subscriptions.expiring"
    DIGEST_DAILY = "digest.daily"
    PING = "ping"


class Halt(StrEnum):
    """What operators can order for everything, a queue or an organization."""

    PAUSE = "pause"  # nothing new is begun; what is accepted waits
    DRAIN = "drain"  # nothing new is accepted; what waits is worked off


class Role(StrEnum):
    ORGANIZATION_ADMIN = "organization_admin"  # everything in its organization
    PROJECT_ADMIN = "project_admin"  # everything in the projects named by the token
    VIEWER = "viewer"  # reads: the projects named by the token, or all if it names none
    MANUFACTURER = "manufacturer"  # imports inventory
