"""The compose file and the Dockerfile, as far as they can be judged without Docker."""

import re

import pytest

from tests.compose import ROOT, checked, claimd_services, read_compose, required_variables
from worker.settings import Settings
from worker.states import Queue


def test_the_compose_file_conforms_to_the_specification() -> None:
    services = checked(read_compose()).services
    assert services is not None
    assert {"postgres", "redis", "migrate", "api", "beat", "flower"} < set(services)


def test_the_check_refuses_a_misspelt_key() -> None:
    document = read_compose()
    document["services"]["api"]["healthchek"] = {}
    with pytest.raises(ValueError, match="healthchek"):
        checked(document)


def test_every_queue_is_consumed_by_some_worker() -> None:
    commands = [each["command"] for each in claimd_services().values() if each["command"][0] == "worker"]
    consumed = {command[at + 1] for command in commands for at, word in enumerate(command) if word == "--queue"}
    assert consumed == {queue.value for queue in Queue}


def test_every_claimd_variable_is_a_setting() -> None:
    names = {name for each in claimd_services().values() for name in each["environment"]}
    assert names <= {f"CLAIMD_{name.upper()}" for name in Settings.model_fields}


def test_secrets_come_from_the_environment_and_are_required() -> None:
    assert required_variables() == {
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "CLAIMD_SECRET_KEY",
        "CLAIMD_FLOWER_PASSWORD",
    }
    assert "${" not in re.sub(r"\$\{\w+:\?", "", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for each in read_compose()["services"].values() for port in each.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_service_that_stays_has_a_health_check() -> None:
    for name, service in read_compose()["services"].items():
        assert "test" in service["healthcheck"] or name == "migrate", name


def test_the_broker_keeps_its_messages_and_drops_none() -> None:
    command = " ".join(read_compose()["services"]["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_the_image_is_built_from_what_its_context_lets_through() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied == {line[1:] for line in ignore if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)
    assert "USER claimd" in lines
