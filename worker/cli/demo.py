"""`claimd demo`: everything on this machine, one order from its CSV file to its report, and nothing left behind."""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from worker.cli.demo_screen import Screen
from worker.cli.demo_story import Story, Told
from worker.cli.failures import ExitCode
from worker.cli.output import show_json
from worker.cli.up import DataDir, Port, Workers, note
from worker.embedded.instance import Addresses, Instance
from worker.errors import EnvironmentProblem
from worker.settings import Settings, load_settings

# So that an order of a few thousand devices is worked on in as many steps as one of a million.
CHUNK_SIZE: Final = 500
# Long enough to undo a batch, and short enough to wait for.
HOLD_WINDOW: Final = timedelta(seconds=3)

Report = Annotated[Path, typer.Option("--report", help="Where the full report is written.", dir_okay=False)]


def demo(
    data_dir: DataDir = None,
    port: Port = None,
    workers: Workers = None,
    report: Report = Path("claimd-demo-report.csv"),
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")] = False,
) -> int:
    """See the whole thing work: claim a demo order, show what became of each device, stop everything.

    Without --data-dir it uses a folder of its own, which it removes at the end unless something is wrong.
    """
    forgive_characters()
    screen = Screen(quiet=as_json)
    try:
        with _settings(data_dir, port) as settings:
            told = _run(settings, workers, screen, report)
    finally:
        screen.leave()
    if told is None:
        note("Interrupted: everything has stopped.")
        return ExitCode.INTERRUPTED
    if as_json:
        show_json(told.document())
    else:
        screen.show(told.batch, told.failed, told.devices, told.report)
    return ExitCode.DONE


@contextmanager
def _settings(data_dir: Path | None, port: int | None) -> Iterator[Settings]:
    """The settings, with a data folder for this run alone unless the user has chosen one, or a database."""
    given = load_settings(data_dir=data_dir, api_port=port)
    own = {"hold_window": HOLD_WINDOW, "webhook_allow_private": True, "chunk_size": CHUNK_SIZE}
    if "chunk_size" in given.model_fields_set:
        del own["chunk_size"]
    settings = given.model_copy(update=own)
    if "data_dir" in settings.model_fields_set or settings.database_url is not None:
        yield settings
        return
    with _folder_of_its_own() as folder:
        yield settings.model_copy(update={"data_dir": folder})


@contextmanager
def _folder_of_its_own() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="claimd-demo-"))
    try:
        yield folder
    except EnvironmentProblem:
        raise  # its message names the logs in there
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _run(settings: Settings, workers: int | None, screen: Screen, report: Path) -> Told | None:
    """What the story told; None if somebody asked to stop before its end."""
    with ThreadPoolExecutor(1) as pool:
        telling = _Telling(pool, screen, report)
        instance = Instance(settings, workers, screen.note)
        screen.begin("Starting PostgreSQL, Valkey, the API, workers, beat and Flower")
        instance.run(lambda addresses: telling.start(addresses, instance.data_dir), telling.is_over)
    if telling.over:
        screen.end("Stopped everything")
    return telling.result()


class _Telling:
    """The story in a thread of its own, while the main thread watches over the processes."""

    def __init__(self, pool: ThreadPoolExecutor, screen: Screen, report: Path) -> None:
        self.over = False
        self._pool = pool
        self._screen = screen
        self._report = report
        self._future: Future[Told] | None = None

    def start(self, addresses: Addresses, data_dir: Path) -> None:
        self._screen.end("Started PostgreSQL, Valkey, the API, workers, beat and Flower")
        self._future = self._pool.submit(Story(addresses, data_dir, self._screen, self._report).tell)

    def is_over(self) -> bool:
        """Whether the story has come to its end; asked only while nobody wants to stop."""
        self.over = self._future is not None and self._future.done()
        if self.over:
            self._screen.begin("Stopping everything")
        return self.over

    def result(self) -> Told | None:
        return self._future.result() if self.over and self._future is not None else None


def forgive_characters() -> None:
    """A terminal that lacks some of our characters gets question marks for them."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
