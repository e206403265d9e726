"""What is to be reached."""

from collections.abc import Iterator

from benchmarks.figures import Activation, Fairness, Figures, Size, Target

_RATIO = 1.0
_API_GROWTH = 50e6
_WORKER_PEAK = 250e6
_SMALL_SHARE = 0.3
_TOLD_SECONDS = 60
_ACTIVATION_RATIO = 1.2
_SLOWDOWN = 1.3
_UNFAIRNESS = 3.0
_LARGE = 1_000_000


def judge(figures: Figures) -> list[Target]:
    """Every target that this run says something about."""
    return list(_judged(figures))


def _judged(figures: Figures) -> Iterator[Target]:
    first, last = figures.sizes[0], figures.sizes[-1]
    if last.rows >= _LARGE:
        yield from _judged_at_large(first, last)
    share = figures.small.ratio
    what = f"small batches: at least {_SMALL_SHARE} of the tasks that do nothing"
    yield Target(what, f"{share:.2f}", is_met=share >= _SMALL_SHARE)
    seconds = figures.deliveries.seconds
    what = f"{figures.deliveries.deliveries:,} webhooks: each accepted once within {_TOLD_SECONDS} s"
    yield Target(what, f"{seconds:.1f} s", is_met=seconds <= _TOLD_SECONDS)
    if figures.activation.subscriptions >= _LARGE:
        yield from _judged_activation(figures.activation)
    if last.rows >= _LARGE:
        yield from _judged_fairness(last.rows, figures.fairness)


def _judged_fairness(rows: int, found: Fairness) -> Iterator[Target]:
    what = f"p99 of a small batch beside {rows:,} rows: at most {_UNFAIRNESS:.0f} of that alone"
    yield Target(what, f"{found.rows_slowdown:.2f}", is_met=found.rows_slowdown <= _UNFAIRNESS)
    what = f"p99 of a small batch beside {found.batches:,} others: at most {_UNFAIRNESS:.0f} of that alone"
    yield Target(what, f"{found.batches_slowdown:.2f}", is_met=found.batches_slowdown <= _UNFAIRNESS)


def _judged_activation(found: Activation) -> Iterator[Target]:
    what = f"{found.subscriptions:,} subscriptions: at most {_ACTIVATION_RATIO} of bare SQL"
    yield Target(what, f"{found.ratio:.2f}", is_met=found.ratio <= _ACTIVATION_RATIO)
    what = f"{found.rows:,} rows beside that: at most {_SLOWDOWN} of the same alone"
    yield Target(what, f"{found.slowdown:.2f}", is_met=found.slowdown <= _SLOWDOWN)


def _judged_at_large(first: Size, last: Size) -> Iterator[Target]:
    yield Target(f"(b) ÷ (a) at {last.rows:,} rows: at most {_RATIO}", f"{last.ratio:.2f}", is_met=last.ratio <= _RATIO)
    if first.api_peak:
        growth = last.api_peak - first.api_peak
        what = f"the API grows by less than {_API_GROWTH / 1e6:.0f} MB from {first.rows:,} to {last.rows:,}"
        yield Target(what, f"{growth / 1e6:.0f} MB", is_met=growth < _API_GROWTH)
        peak = max(first.worker_peak, last.worker_peak)
        what = f"a worker stays under {_WORKER_PEAK / 1e6:.0f} MB"
        yield Target(what, f"{peak / 1e6:.0f} MB", is_met=peak < _WORKER_PEAK)
