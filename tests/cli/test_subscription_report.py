"""`claimd subscription report` against a running claimd."""

from pathlib import Path

from tests.cli.conftest import Cli, Up


def test_prepaid_time_is_counted_and_written_out(beside: Cli, up: Up, tmp_path: Path) -> None:
    devices = tmp_path / "devices.csv"
    devices.write_text("emu190\nemu191\n", encoding="utf-8")
    assert beside("claim", str(devices), "--project", up.project, "--watch").code == 0
    report = ("subscription", "report", "--org", str(up.addresses["organization_id"]))
    counts = beside(*report, "--json").json
    assert counts["states"]["scheduled"] + counts["states"]["active"] >= 2
    table = beside(*report)
    assert table.code == 0
    assert table.out.split()[:4] == ["project", "scheduled", "active", "expired"]
    assert table.out.splitlines()[-1].startswith("all")
    path = tmp_path / "report.csv"
    assert beside(*report, "--csv", "-o", str(path)).code == 0
    assert {"emu190", "emu191"} <= {line.split(",")[0] for line in path.read_text(encoding="utf-8").splitlines()}
    assert beside(*report, "--csv").out.startswith("device_id,project_id,batch_id,state")
    assert beside("subscription", "report", "--org", "org_none").code == 3
