"""The data folder and the secrets that `claimd up` makes in it."""

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from worker.embedded.files import write_private
from worker.errors import EnvironmentProblem
from worker.settings import Settings


def prepare_data_dir(path: Path) -> Path:
    """Makes the data folder, closed to others; one that was there keeps its permissions.

    Raises:
        EnvironmentProblem: it cannot be used.
    """
    folder = path.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "logs").mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise EnvironmentProblem(
            f"The data folder {folder} cannot be used ({error.strerror}): choose another --data-dir."
        ) from error
    return folder


def secret_key(settings: Settings, data_dir: Path) -> str:
    """The key of the settings or of the data folder; made on the first run.

    Raises:
        EnvironmentProblem: there is a database already, and the key that it was used with is gone.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = data_dir / "secret.key"
    if not path.exists() and (data_dir / "postgres").exists():
        raise EnvironmentProblem(
            f"{path} is missing, and the uploads in the database beside it cannot be read without it: "
            "bring it back from a backup, or set CLAIMD_SECRET_KEY."
        )
    return _kept(path, lambda: base64.b64encode(secrets.token_bytes(32)).decode())


def flower_password(settings: Settings, data_dir: Path) -> str:
    """The password of the settings or of the data folder; made on the first run."""
    return _given(settings.flower_password) or _kept(data_dir / "flower.password", lambda: secrets.token_urlsafe(18))


def _given(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value is not None else None


def _kept(path: Path, make: Callable[[], str]) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        write_private(path, made := make())
        return made
