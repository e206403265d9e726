"""All kinds of batches on the oldest PostgreSQL that claimd works with, where the machine has one."""

from collections.abc import Iterator

import pytest

from tests.claims import Sender, add_devices, carry_out, claim, new_sender, outcomes
from tests.conftest import SECRET_KEY
from tests.servers import SYSTEM_POSTGRES, running_postgres
from worker.batches import confirm, get_batch
from worker.database import build_engine
from worker.operations.verify import verify
from worker.reports import report_csv, results_page
from worker.runtime import Runtime, build_runtime
from worker.schema import migrate
from worker.settings import Settings
from worker.states import Mode

pytestmark = pytest.mark.skipif(not SYSTEM_POSTGRES.exists(), reason="no PostgreSQL 15 on this machine")


@pytest.fixture(params=[2, 50_000], ids=["in chunks", "at once"])
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("old")
    with running_postgres(folder, bin_dir=SYSTEM_POSTGRES) as server:
        engine = build_engine(server.url, pool_size=1)
        migrate(engine)
        engine.dispose()
        settings = {"database_url": server.url, "secret_key": SECRET_KEY, "chunk_size": request.param}
        runtime = build_runtime(Settings.model_validate(settings), pool_size=4)
        yield runtime
        runtime.close()


@pytest.fixture
def sender(old: Runtime) -> Sender:
    add_devices(old, [f"k{n}" for n in range(5)], kit="kit-1")
    add_devices(old, [f"d{n}" for n in range(5)], codes=True)
    return new_sender(old, "north")


def test_batches_of_every_kind_come_to_their_end(old: Runtime, sender: Sender) -> None:
    batch = claim(old, sender, b"identifier,note\nkit-1,a\nk3,b\nd0,c\nnope,d\n1.2E+9,e\n")
    assert batch["totals"] == {"claimed": 6, "duplicate": 1, "not_found": 1, "invalid_identifier": 1}
    assert claim(old, sender, b"serial_number,claim_code\nsn-d1,code-d1\nsn-d2,no\n")["totals"]["claimed"] == 1
    assert claim(old, sender, b"d2\nnope\nd3\n", mode=Mode.ATOMIC)["state"] == "rejected"
    preview = claim(old, sender, b"d2\nd3\nd4\n", preview=True)
    confirm(old, sender.principal, preview["id"], require_unchanged=True)
    carry_out(old, preview["id"])
    assert get_batch(old, sender.principal, preview["id"])["totals"] == {"claimed": 3}
    assert len(outcomes(old, batch["id"])) == len(
        results_page(old, sender.principal, batch["id"], None, 100, None)["items"]
    )
    report = b"".join(report_csv(old, sender.principal, batch["id"])).decode("utf-8-sig")
    assert report.startswith("identifier,note,row,line,outcome,device_id,detail,hint\r\n")
    assert verify(old) == []
