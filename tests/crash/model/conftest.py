"""One system for all examples; its chunks are so small that few devices are several."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.conftest import SECRET_KEY
from tests.crash.system import System, whole_system
from tests.servers import drop_database, fresh_database
from worker.embedded.ports import free_port
from worker.settings import Settings


@pytest.fixture(scope="module")
def system(
    postgres_url: str, template_database: str, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """API, worker and beat."""
    folder = tmp_path_factory.mktemp("model")
    url = fresh_database(postgres_url, template_database)
    settings = Settings.model_validate(
        {
            "database_url": url,
            "broker_url": broker_url,
            "secret_key": SECRET_KEY,
            "data_dir": folder / "data",
            "api_port": free_port(),
            "chunk_size": 3,
            "sweep_interval": timedelta(seconds=0.2),
            "ring_again_after": timedelta(seconds=0.4),
            "upload_lease": timedelta(seconds=1),
            "hold_window": timedelta(hours=1),
            "max_attempts": 50,  # whoever is killed at random may be killed more than three times
        }
    )
    with whole_system(settings, folder) as running:
        yield running
    drop_database(url)
