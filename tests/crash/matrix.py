"""Which process is killed where, in the middle of which doings."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from worker.states import PeriodicTask

BOTH = ("before", "after")


@dataclass(frozen=True)
class Case:
    """`victim` is killed when a process comes to `place`, once the scenario has come to `stage`.

    `first`: a place where a process is killed before that, so that there is something to be taken over.
    """

    place: str
    scenario: str
    stage: str | None = None
    victim: str = "process"
    first: str | None = None

    @property
    def point(self) -> str:
        return self.place.rpartition(":")[0]

    def __str__(self) -> str:
        words = [self.place, self.scenario, self.stage, None if self.victim == "process" else self.victim]
        return "-".join(word.replace(" ", "_") for word in words if word)


# Commit points, and the scenarios (with their stages) in which processes die before and after each.
COMMITS: Final[dict[str, list[str]]] = {
    "api_stub.importing.Import._import": ["imported"],
    "worker.accounts.idempotency.Reservation.free": ["refused"],
    "worker.accounts.idempotency._take": ["small"],
    "worker.batches.derived.plan_held": ["planned:plan batch"],
    "worker.batches.derived.revert": ["reverted"],
    "worker.batches.generated._store": ["reverted_large"],
    "worker.batches.lifecycle._change": ["preview:confirm", "cancelled:cancel", "resumed:resume"],
    "worker.batches.steps._complete": ["small"],
    "worker.batches.steps._hand_out": ["large"],
    "worker.batches.steps._reject": ["rejected"],
    "worker.batches.steps.apply": ["large", "reverted_large:revert"],
    "worker.batches.steps.finish": ["large", "cancelled:cancel"],
    "worker.batches.submit.submit": ["small"],
    "worker.batches.sweep._sweep_queue": ["swept:sweep"],
    "worker.batches.sweep.prune": ["lapsed:prune"],
    "worker.batches.taking._take_fresh": ["small"],
    "worker.batches.taking.take_turn": ["large"],
    "worker.batches.uploads.Upload._store": ["upload"],
    "worker.batches.uploads.Upload.abandon": ["refused"],
    "worker.batches.work._hand_back": ["cut_off:cut"],
    "worker.batches.work._ring_for_more": ["large"],
    "worker.digests.writing._write_some": ["told_daily:digest"],
    "worker.inventory.importer.import_inventory": ["imported"],
    "worker.notifications.deliveries.ping": ["deliveries:ping"],
    "worker.notifications.deliveries.replay_deliveries": ["deliveries:replay all"],
    "worker.notifications.deliveries.replay_delivery": ["deliveries:replay one"],
    "worker.notifications.delivering._exchange": ["small"],
    "worker.notifications.delivering._give_up": ["small"],
    "worker.notifications.endpoints.create_endpoint": ["endpoints:make"],
    "worker.notifications.endpoints.delete_endpoint": ["endpoints:delete"],
    "worker.operations.periodic._ring_if_wanted": ["small"],
    "worker.operations.periodic._run": ["activated:activate"],
    "worker.operations.retention._carry_out": ["retained:retain"],
    "worker.subscriptions.activation.activate_due": ["activated:activate"],
    "worker.subscriptions.chunks._run": ["activated:activate", "expired:remind", "expired:expire"],
}
# Places that are no commits.
OTHERS: Final[dict[str, list[str]]] = {
    "worker.notifications.delivering._Run._attempt:sent": ["small"],
    "worker.pgcopy.copy_rows:middle": ["small", "large"],
}
# Where each has done its work, and has not said so yet.
PERIODIC: Final[dict[PeriodicTask, str]] = {
    PeriodicTask.SWEEP: "swept:sweep",
    PeriodicTask.PRUNE: "lapsed:prune",
    PeriodicTask.ACTIVATE: "activated:activate",
    PeriodicTask.EXPIRE: "expired:expire",
    PeriodicTask.REMIND: "expired:remind",
    PeriodicTask.DELIVER: "small",
    PeriodicTask.DIGEST: "told_daily:digest",
    PeriodicTask.RETAIN: "retained:retain",
}
# Somebody else dies than the process that has come to the place: the worker's parent, beat, or all at once.
FURTHER: Final = (
    Case("worker.batches.taking.take_first:before", "large", first="worker.batches.steps.apply:before"),
    Case("worker.batches.taking.take_first:after", "large", first="worker.batches.steps.apply:before"),
    Case("worker.batches.steps.apply:before", "large", victim="worker"),
    Case("worker.batches.steps.finish:after", "large", victim="worker"),
    Case("worker.notifications.delivering._Run._attempt:sent", "small", victim="worker"),
    Case("worker.batches.steps.apply:before", "large", victim="api"),
    Case("worker.batches.sweep._sweep_queue:after", "swept", "sweep", victim="beat"),
    Case("worker.batches.submit.submit:after", "small", victim="everything"),
    Case("worker.batches.steps.apply:after", "large", victim="everything"),
)

_LOOKS: Final = "only reads"
_COMMAND: Final = "one transaction of an operator's command, which tells what it did; nothing follows it"
_REQUEST: Final = "one transaction of a request, which its sender repeats; nothing follows it"
_LEASE: Final = "moves the end of a lease on, and nothing else"
_WATCHING: Final = "no transaction: the demo tells where it has come to"
# Commit points where nobody has to be killed, and why.
EXEMPT: Final[dict[str, str]] = {
    "worker.accounts.bootstrap.bootstrap_demo": _COMMAND,
    "worker.accounts.idempotency.Reservation.extend": _LEASE,
    "worker.accounts.idempotency._find": _LOOKS,
    "worker.accounts.organizations.create_organization": _COMMAND,
    "worker.accounts.organizations.create_project": _COMMAND,
    "worker.accounts.organizations.list_organizations": _LOOKS,
    "worker.accounts.organizations.list_projects": _LOOKS,
    "worker.accounts.organizations.set_time_zone": _COMMAND,
    "worker.accounts.tokens.create_token": _COMMAND,
    "worker.accounts.tokens.list_tokens": _LOOKS,
    "worker.accounts.tokens.revoke_token": _COMMAND,
    "worker.batches.generated.with_input": _LOOKS,
    "worker.batches.steps.resolve": _LOOKS,
    "worker.batches.submit.check_submission": _LOOKS,
    "worker.batches.submit.list_batches": _LOOKS,
    "worker.batches.taking.take_own": "for tests that carry a batch out by hand; `take_first` does the same",
    "worker.batches.uploads.Upload.add": _LEASE,
    "worker.batches.work._bound": "sets time-outs of its own session",
    "worker.cli.demo._Telling.is_over": _WATCHING,
    "worker.cli.demo._run": _WATCHING,
    "worker.cli.demo_screen.Screen.progress": _WATCHING,
    "worker.cli.demo_story.Story._activate": _WATCHING,
    "worker.cli.demo_story.Story._claim_before": _WATCHING,
    "worker.cli.demo_story.Story._hear": _WATCHING,
    "worker.cli.demo_story.Story._import": _WATCHING,
    "worker.cli.demo_story.Story._read": _WATCHING,
    "worker.cli.demo_story.Story._regret": _WATCHING,
    "worker.cli.demo_story.Story._upload": _WATCHING,
    "worker.cli.demo_story.Story._verify": _WATCHING,
    "worker.inventory.claim_info.claim_info": _LOOKS,
    "worker.inventory.holdings.device": _LOOKS,
    "worker.inventory.holdings.project_devices": _LOOKS,
    "worker.notifications.endpoints.change_endpoint": _REQUEST,
    "worker.notifications.endpoints.enable_endpoint": _REQUEST,
    "worker.notifications.endpoints.renew_secret": _REQUEST,
    "worker.operations.clock.move_clock": _COMMAND,
    "worker.operations.clock.show_clock": _LOOKS,
    "worker.operations.deliveries.failed_rows": _LOOKS,
    "worker.operations.halts.halt": _COMMAND,
    "worker.operations.halts.lift": _COMMAND,
    "worker.operations.halts.list_halts": _LOOKS,
    "worker.operations.lost._unknown": _LOOKS,
    "worker.operations.standings.late_tasks": _LOOKS,
    "worker.operations.status._database": _LOOKS,
    "worker.operations.verify._broken_invariants": _LOOKS,
    "worker.operations.verify._broken_secrets": _LOOKS,
    "worker.reports.bundle.report_bundle": _LOOKS,
    "worker.reports.csv_report._windows.<locals>.fetch": _LOOKS,
    "worker.reports.csv_report.report_csv": _LOOKS,
    "worker.reports.jsonl.read_windows": _LOOKS,
    "worker.reports.jsonl.report_jsonl": _LOOKS,
    "worker.reports.manifest.signed_manifest": _LOOKS,
    "worker.reports.original.original_input": _LOOKS,
    "worker.reports.pages.kits_page": _LOOKS,
    "worker.reports.pages.results_page": _LOOKS,
    "worker.subscriptions.billing._stream": _LOOKS,
    "worker.subscriptions.billing.subscription_counts": _LOOKS,
    "worker.subscriptions.billing.subscription_page": _LOOKS,
    "worker.subscriptions.billing.subscriptions_csv": _LOOKS,
}


def known_points() -> set[str]:
    """All that a process may come to."""
    return {case.point for case in all_cases()} | EXEMPT.keys()


def all_cases() -> list[Case]:
    """Every killing of the matrix; those for which years pass come last, because time never goes back."""
    return sorted(_cases(), key=lambda case: case.scenario == "retained")


def _cases() -> Iterator[Case]:
    for point, scenarios in COMMITS.items():
        for scenario in scenarios:
            for moment in BOTH:
                yield _case(f"{point}:{moment}", scenario)
    for place, scenarios in OTHERS.items():
        for scenario in scenarios:
            yield _case(place, scenario)
    for task, scenario in PERIODIC.items():
        yield _case(f"{task}:done", scenario)
    yield from FURTHER


def _case(place: str, scenario: str) -> Case:
    name, _, stage = scenario.partition(":")
    return Case(place, name, stage or None)
