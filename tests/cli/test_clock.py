"""Business time at the command line."""

from datetime import timedelta

from tests.cli.conftest import Cli
from tests.clock import pass_time
from worker.runtime import Runtime

NOT_AHEAD = str(timedelta(0))


def _beside(cli: Cli, runtime: Runtime, *, movable: bool) -> Cli:
    cli.environment.setenv("CLAIMD_DATABASE_URL", runtime.settings.require_database_url())
    cli.environment.setenv("CLAIMD_SECRET_KEY", runtime.settings.secret_key.get_secret_value())  # type: ignore[union-attr]
    cli.environment.setenv("CLAIMD_MOVABLE_CLOCK", str(movable))
    return cli


def test_it_goes_ahead_where_the_settings_allow_it(cli: Cli, runtime: Runtime) -> None:
    beside = _beside(cli, runtime, movable=True)
    assert beside("clock", "--json").json["ahead"] == NOT_AHEAD
    for written, ahead in (("P7D", timedelta(days=7)), ("1d", timedelta(days=8)), ("PT2H", timedelta(days=8, hours=2))):
        assert beside("clock", "--ahead", written, "--json").json["ahead"] == str(ahead)
    shown = beside("clock")
    assert shown.code == 0
    assert "8 days, 2:00:00" in shown.out


def test_it_stays_elsewhere_and_is_shown_all_the_same(cli: Cli, runtime: Runtime) -> None:
    beside = _beside(cli, runtime, movable=False)
    refused = beside("clock", "--ahead", "P7D")
    assert (refused.code, "CLAIMD_MOVABLE_CLOCK is not set" in refused.err) == (2, True)
    pass_time(runtime, days=1)
    assert beside("clock", "--json").json["ahead"] == str(timedelta(days=1))


def test_it_never_goes_back_nor_beyond_all_bounds(cli: Cli, runtime: Runtime) -> None:
    beside = _beside(cli, runtime, movable=True)
    assert beside("clock", "--ahead=-P1D").code == 3
    assert beside("clock", "--ahead", "P99999D").code == 3
    assert beside("clock", "--ahead", "tomorrow").code == 2
    assert beside("clock", "--json").json["ahead"] == NOT_AHEAD
