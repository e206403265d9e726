"""Where claimd is: from options and the environment, else from a `claimd up` that runs on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from worker.database import build_engine
from worker.embedded.files import read_json
from worker.errors import EnvironmentProblem
from worker.queries.servers import find_backend
from worker.settings import Settings, load_settings

UP: Final = "up.json"
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class ApiAddress:
    """Where the API is, and the token to use there."""

    url: str
    token: str = field(repr=False)


def discover(data_dir: Path | None = None, **overrides: object) -> Settings:
    """The settings, with what is missing taken from a running `claimd up`.

    Raises:
        EnvironmentProblem: a setting cannot be used.
    """
    settings = _load(data_dir, **overrides)
    if settings.database_url is None:
        return _filled(settings, settings.data_dir)
    if settings.broker_url is None or not _has_secret_key(settings):
        folder = _folder_of_database(settings)
        return _filled(settings, folder) if folder else settings
    return settings


def find_api(data_dir: Path | None, api_url: str | None, token: str | None) -> ApiAddress:
    """Where the API is. A token of `claimd up` is sent to no other address than its own.

    Raises:
        EnvironmentProblem: there is no address, or no token.
    """
    settings = _load(data_dir, api_url=api_url, token=token)
    url, secret = settings.api_url, settings.token and settings.token.get_secret_value()
    if not (url and secret):
        up = read_up(settings.data_dir) or _up_of_database(settings)
        url = url or _text(up, "api_url")
        if not secret and _same(url, _text(up, "api_url")):
            secret = _text(up, "token")
    if not url:
        raise EnvironmentProblem("No claimd was found: start `claimd up`, or set CLAIMD_API_URL and CLAIMD_TOKEN.")
    if not secret:
        raise EnvironmentProblem(f"There is no token for {url}: set CLAIMD_TOKEN, or give --token.")
    return ApiAddress(url.rstrip("/"), secret)


def read_up(folder: Path) -> dict[str, Any]:
    """What the `claimd up` of a data folder says of itself; nothing if none runs, or if it is another user's."""
    try:
        return read_json(folder / UP)
    except OSError:
        return {}


def _load(data_dir: Path | None, **overrides: object) -> Settings:
    settings = load_settings(data_dir=data_dir, **overrides)
    return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().absolute()})


def _filled(settings: Settings, folder: Path) -> Settings:
    up = read_up(folder)
    names = ("database_url", "broker_url")
    found = {name: SecretStr(up[name]) for name in names if getattr(settings, name) is None and _text(up, name)}
    return settings.model_copy(update={**found, "data_dir": folder})


def _up_of_database(settings: Settings) -> dict[str, Any]:
    folder = _folder_of_database(settings) if settings.database_url is not None else None
    return read_up(folder) if folder else {}


def _folder_of_database(settings: Settings) -> Path | None:
    """The data folder around the database's own, if that is on this machine and `claimd up` runs in it."""
    engine = build_engine(settings.require_database_url(), pool_size=1)
    try:
        if engine.url.host not in _THIS_MACHINE:
            return None
        with engine.connect() as connection:
            # A server works in its folder; only superusers may ask it for the name.
            folder = Path(psutil.Process(find_backend(connection)).cwd())
    except (OperationalError, psutil.Error, OSError):
        return None
    finally:
        engine.dispose()
    return next((parent for parent in folder.parents if read_up(parent)), None)


def _has_secret_key(settings: Settings) -> bool:
    try:
        return bool(settings.require_secret_key())
    except EnvironmentProblem:
        return False


def _text(up: Mapping[str, Any], name: str) -> str | None:
    value = up.get(name)
    return value if isinstance(value, str) else None


def _same(url: str | None, other: str | None) -> bool:
    return bool(url and other) and str(url).rstrip("/") == str(other).rstrip("/")
