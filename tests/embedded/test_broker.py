"""The Valkey server that claimd brings along."""

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.servers import running_broker
from worker.embedded.broker import EmbeddedBroker
from worker.embedded.ending import servers_in


@pytest.fixture(scope="module")
def server(shared_folder: Path) -> Iterator[EmbeddedBroker]:
    with running_broker(shared_folder / "a data folder") as running:
        yield running


@pytest.fixture
def client(server: EmbeddedBroker) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, decode_responses=True) as connected:
        yield connected


def pid_of(server: EmbeddedBroker) -> int:
    assert server.process is not None
    return server.process.pid


def test_it_writes_down_what_it_holds_and_never_evicts(client: redis.Redis) -> None:
    settings = client.config_get("append*", "save", "maxmemory-policy", "bind")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["save"] == ""
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["bind"] == "127.0.0.1"


def test_nobody_gets_in_without_the_password(server: EmbeddedBroker) -> None:
    with (
        redis.Redis.from_url("redis://" + server.url.rpartition("@")[2]) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_its_password_is_neither_in_arguments_nor_in_a_readable_file(server: EmbeddedBroker) -> None:
    password = server.url.split(":")[2].split("@")[0]
    assert password not in Path(f"/proc/{pid_of(server)}/cmdline").read_text(encoding="utf-8")
    assert stat.S_IMODE((server.folder / "valkey.conf").stat().st_mode) == 0o600


def test_after_kill_9_it_comes_back_with_its_data_at_the_same_address(
    server: EmbeddedBroker, client: redis.Redis
) -> None:
    url, killed = server.url, pid_of(server)
    client.set("kept", "7")
    os.kill(killed, signal.SIGKILL)
    server.start()
    assert pid_of(server) != killed
    assert server.url == url
    assert client.get("kept") == "7"


def test_a_damaged_file_does_not_keep_it_from_starting(folder: Path) -> None:
    with running_broker(folder) as first, redis.Redis.from_url(first.url) as client:
        client.set("lost", "7")
    for file in (first.folder / "appendonlydir").glob("*.aof"):
        file.write_bytes(b"*3\r\nnonsense\r\n" * 50)
    with running_broker(folder) as second, redis.Redis.from_url(second.url) as client:
        assert client.get("lost") is None
        assert second.url == first.url


def test_stopping_leaves_no_process(folder: Path) -> None:
    with running_broker(folder) as server:
        assert len(servers_in(server.folder, "valkey-server")) == 1
    assert servers_in(server.folder, "valkey-server") == []
