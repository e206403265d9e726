"""What a process hands over to its children is what they read."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import SECRET_KEY
from worker.settings import Settings, load_settings
from worker.tasks.app import build_app, longest_lease
from worker.tasks.environment import environment_of


def test_a_child_has_its_parents_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "database_url": "postgresql://u:p@h/x",
            "broker_url": "redis://:p@h/0",
            "secret_key": SECRET_KEY,
            "data_dir": tmp_path,
            "sweep_interval": timedelta(milliseconds=300),
            "lease": timedelta(days=1, seconds=2),
            "chunk_size": 7,
            "api_url": None,
        }
    )
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_no_task_is_ended_from_outside_before_its_lease_is_over() -> None:
    settings = Settings.model_validate({"broker_url": "redis://h/0", "lease": timedelta(hours=1)})
    limits = build_app(settings).conf
    assert limits.task_time_limit > limits.task_soft_time_limit > longest_lease(settings).total_seconds()
