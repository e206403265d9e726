"""The one table."""

import statistics
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Activation, Fairness, Figures, Pair, Size, Spread
from benchmarks.small import CLIENTS


def show(figures: Figures, console: Console) -> None:
    """Print the figures and what is to be thought of them."""
    title = f"claims against {figures.devices:,} devices, {figures.workers} workers; {figures.machine}"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="", pad_edge=False)
    table.add_column("medians of the runs; seconds unless it says otherwise")
    for size in figures.sizes:
        table.add_column(f"{size.rows:,} rows", justify="right")
    for name, *cells in _lines(figures):
        table.add_row(name, *cells)
        if name.startswith(("(b) ÷ (a): each", "(c)", "peak memory of a worker")):
            table.add_section()
    for name, found in _small_lines(figures):
        table.add_row(name, found)
    table.add_section()
    for target in figures.targets:
        table.add_row(target.what, target.found, "OK" if target.is_met else "MISSED")
    console.print(table)


def _lines(figures: Figures) -> Iterator[list[str]]:
    sizes = figures.sizes
    yield ["(a) psql: one transaction", *(f"{size.reference:.2f}" for size in sizes)]
    yield ["(b) claimd: upload to report", *(f"{size.product:.2f}" for size in sizes)]
    for part in ("upload", "work", "download"):
        yield [f"      {part}", *(f"{size.part(part):.2f}" for size in sizes)]
    yield ["(b) ÷ (a): median", *(f"{size.ratio:.2f}" for size in sizes)]
    yield ["(b) ÷ (a): each pair", *(" ".join(f"{pair.ratio:.2f}" for pair in size.pairs) for size in sizes)]
    yield ["(c) ORM: one transaction per row", *(_by_orm(figures, size) for size in sizes)]
    yield ["peak memory of the API", *(_megabytes(size.api_peak) for size in sizes)]
    yield ["peak memory of a worker", *(_megabytes(size.worker_peak) for size in sizes)]


def _small_lines(figures: Figures) -> Iterator[tuple[str, str]]:
    small = figures.small
    yield "(d) Celery tasks that do nothing", f"{small.noop_rate:.0f} /s"
    yield "      one alone, sent to done: p50, p99", _milliseconds(small.noop_trip)
    yield "    the same, watched by Flower as batches are", f"{small.watched_rate:.0f} /s"
    yield f"    batches of a kit of 25, {CLIENTS} clients", f"{small.batch_rate:.0f} /s"
    yield "      one alone, POST to done: p50, p99", _milliseconds(small.batch_time)
    told = figures.deliveries
    yield f"(e) {told.deliveries:,} webhooks, 1 % refused once, one endpoint hanging", f"{told.rate:.0f} /s"
    burst = _seconds(told.times.p50, told.times.p99, told.seconds)
    yield "      all at once, commit to accepted: p50, p99, last", burst
    yield "      one alone, commit to accepted: p50, p99", _milliseconds(told.trip)
    yield from _activation_lines(figures.activation)
    yield from _fairness_lines(figures.sizes[-1].rows, figures.fairness)


def _activation_lines(found: Activation) -> Iterator[tuple[str, str]]:
    yield f"(f) {found.subscriptions:,} subscriptions that are due: bare SQL", _medians(found.pairs, "reference")
    yield "      the same by claimd", _medians(found.pairs, "product")
    yield f"      a batch of {found.rows:,} rows alone", _medians(found.beside, "reference")
    yield "      the same beside the activation", _medians(found.beside, "product")


def _fairness_lines(rows: int, found: Fairness) -> Iterator[tuple[str, str]]:
    yield "(g) a batch of a kit of 25 alone: p50, p99", _milliseconds(found.idle)
    yield f"      while another organization's {rows:,} rows run", _milliseconds(found.beside_rows)
    yield f"      while {found.batches:,} small batches of it wait", _milliseconds(found.beside_batches)


def _medians(pairs: Sequence[Pair], name: str) -> str:
    return _seconds(statistics.median(getattr(pair, name) for pair in pairs))


def _by_orm(figures: Figures, size: Size) -> str:
    seconds = figures.seconds_by_orm * size.rows / figures.rows_by_orm
    return f"{seconds:.1f}" if size.rows == figures.rows_by_orm else f"about {seconds:,.0f}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size else "not known"


def _seconds(*seconds: float) -> str:
    return ", ".join(f"{each:.1f}" for each in seconds) + " s"


def _milliseconds(times: Spread) -> str:
    return f"{times.p50 * 1000:.1f}, {times.p99 * 1000:.1f} ms"
