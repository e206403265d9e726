"""An upload lives as long as bytes come, and not much longer."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.embedded.waiting import wait_until
from worker.batches import UploadLapsed, begin_upload
from worker.batches.sweep import prune
from worker.inputs import BLOCK_BYTES
from worker.runtime import Runtime


def count_uploads(runtime: Runtime) -> int:
    with runtime.transaction() as connection:
        return int(connection.execute(text("select count(*) from upload")).scalar_one())


@pytest.fixture
def impatient(runtime: Runtime) -> Runtime:
    settings = runtime.settings.model_copy(update={"upload_lease": timedelta(seconds=1)})
    return Runtime(settings, runtime.engine, runtime.keys, runtime.doorbell)


def test_a_slow_sender_keeps_its_upload(impatient: Runtime) -> None:
    upload = begin_upload(impatient)
    upload.add(b"x" * (BLOCK_BYTES + 1))

    def trickle_for_two_leases() -> bool:
        upload.add(b"x")
        prune(impatient)
        return upload.size > BLOCK_BYTES + 100

    wait_until(trickle_for_two_leases)
    assert count_uploads(impatient) == 1


def test_a_silent_sender_loses_its_upload(impatient: Runtime) -> None:
    upload = begin_upload(impatient)
    upload.add(b"x" * (BLOCK_BYTES + 1))

    def is_forgotten() -> bool:
        prune(impatient)
        return count_uploads(impatient) == 0

    wait_until(is_forgotten)
    with pytest.raises(UploadLapsed):
        upload.add(b"x")
