"""Every setting of claimd, read once from the environment (prefix CLAIMD_) and passed in from there."""

import base64
import binascii
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.errors import EnvironmentProblem


def default_data_dir() -> Path:
    """`/var/lib/claimd` for root, so that nobody's home is touched; else the user's data folder."""
    return Path(platformdirs.user_data_dir("claimd")) if _geteuid() else Path("/var/lib/claimd")


def _geteuid() -> int:
    import os  # noqa: PLC0415  # the only use, and absent on some systems

    return os.geteuid()


class Settings(BaseSettings):
    """The configuration of one claimd process; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix="CLAIMD_", extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL 15 or later, `postgresql://…`; unset: `claimd up` starts its own.",
    )
    broker_url: SecretStr | None = Field(
        default=None,
        description="Redis 6.2 or later, or Valkey, `redis://…`; unset: `claimd up` starts its own.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="32 random bytes in base64: encrypts uploads and endpoints' secrets, keys hashes of claim codes. "
        "Unset: read from `secret.key` in the data folder.",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Where `claimd up` keeps its servers, keys and logs. Default: the user's data folder, "
        "`/var/lib/claimd` for root.",
    )
    api_host: str = Field(default="127.0.0.1", description="Address that the API listens on.")
    api_port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8000, description="Port of the API.")
    api_url: str | None = Field(
        default=None,
        description="Where the command line finds the API. Unset: that of a running `claimd up`.",
    )
    token: SecretStr | None = Field(
        default=None, description="Bearer token of the command line. Unset: that of a running `claimd up`."
    )
    flower_host: str = Field(default="127.0.0.1", description="Address that Flower listens on.")
    flower_port: Annotated[int, Field(ge=0, le=65535)] = Field(default=5555, description="Port of Flower.")
    flower_user: str = Field(default="claimd", description="User name of Flower's basic authentication.")
    flower_password: SecretStr | None = Field(
        default=None,
        description="Password of Flower's basic authentication; Flower does not start without one.",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="`json`, `text`, or `auto`: text on a terminal, JSON elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")

    database_pool_size: Annotated[int, Field(ge=1)] = Field(
        default=10, description="Database connections of one API process at most."
    )
    api_threads: Annotated[int, Field(ge=1)] = Field(
        default=16, description="Requests that one API process works on at the same time; others wait."
    )
    max_upload_bytes: Annotated[int, Field(ge=1)] = Field(
        default=100_000_000, description="Largest CSV upload, in bytes; more is a 413."
    )
    max_json_bytes: Annotated[int, Field(ge=1)] = Field(
        default=5_000_000, description="Largest JSON body, in bytes; more is a 413."
    )
    max_rows: Annotated[int, Field(ge=1)] = Field(default=1_000_000, description="Rows of one batch at most.")
    max_results: Annotated[int, Field(ge=1)] = Field(
        default=1_000_000, description="Results of one batch at most, after kits are opened."
    )
    max_import_bytes: Annotated[int, Field(ge=1)] = Field(
        default=1_000_000_000, description="Largest inventory file, in bytes; more is a 413."
    )
    max_waiting_batches: Annotated[int, Field(ge=1)] = Field(
        default=10_000, description="Unfinished batches of one organization at most; more is a 429."
    )
    max_waiting_in_all: Annotated[int, Field(ge=1)] = Field(
        default=100_000, description="Unfinished batches of all organizations together; more is a 429."
    )
    max_running_steps: Annotated[int, Field(ge=1)] = Field(
        default=16, description="Steps of one organization that are worked on at the same time in one queue."
    )
    chunk_size: Annotated[int, Field(ge=1)] = Field(
        default=50_000, description="Devices that one apply step claims in one transaction."
    )
    hold_window: timedelta = Field(
        default=timedelta(minutes=15),
        ge=timedelta(0),
        description="A batch can be reverted for this time after its end; until then no prepaid time starts.",
    )
    preview_lifetime: timedelta = Field(default=timedelta(days=7), description="A preview lapses after this time.")
    idempotency_lifetime: timedelta = Field(
        default=timedelta(hours=24), description="An `Idempotency-Key` is remembered for this time."
    )
    upload_lease: timedelta = Field(
        default=timedelta(minutes=5), description="An upload that received nothing for this time is given up."
    )
    lease: timedelta = Field(
        default=timedelta(seconds=30), description="Shortest lease of a work item; it grows with the rows."
    )
    lease_per_million_rows: timedelta = Field(
        default=timedelta(minutes=3), description="What a million rows add to a lease."
    )
    max_attempts: Annotated[int, Field(ge=1)] = Field(
        default=3, description="Attempts of a work item that may cost a worker before its batch is `failed`."
    )
    sweep_interval: timedelta = Field(
        default=timedelta(seconds=2),
        description="Time between two sweeps for lost doorbells and expired leases.",
    )
    ring_again_after: timedelta = Field(
        default=timedelta(seconds=5),
        description="A doorbell that nobody answered is rung again after this time.",
    )

    public_url: str | None = Field(
        default=None,
        description="Where the API is reached from outside, for links in reports. Unset: its own address.",
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="Allow webhooks to private, loopback and link-local addresses, and without TLS.",
    )
    webhook_timeout: timedelta = Field(
        default=timedelta(seconds=10), description="Time that the receiver of a webhook has to answer."
    )
    webhook_concurrency: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4, description="Deliveries to one endpoint at the same time at most."
    )
    delivery_lifetime: timedelta = Field(
        default=timedelta(days=3), description="A delivery that never succeeds is given up after this time."
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Mail server for reports: `smtp://user:password@host:587` (STARTTLS where offered), or `smtps://…`.",
    )
    mail_from: str = Field(default="claimd@localhost", description="Sender of reports by mail.")
    keep_inputs: timedelta = Field(
        default=timedelta(days=90), ge=timedelta(0), description="Uploads are kept for this time."
    )
    keep_results: timedelta = Field(
        default=timedelta(days=400), ge=timedelta(0), description="Results are kept for this time."
    )
    keep_deliveries: timedelta = Field(
        default=timedelta(days=30),
        ge=timedelta(0),
        description="Ended deliveries and their events are kept for this time.",
    )

    movable_clock: bool = Field(
        default=False,
        description="Allow `claimd clock --ahead`, which moves business time for all. For trying things out only.",
    )
    shutdown_grace: timedelta = Field(
        default=timedelta(seconds=5),
        description="Time that running work gets to finish after a SIGTERM, before it is handed back.",
    )

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            server = urlsplit(value.get_secret_value())
            if server.scheme not in {"smtp", "smtps"} or not server.hostname or server.port == 0:
                raise ValueError("expected smtp://host:port or smtps://host:port")
        return value

    @field_validator("secret_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            decode_key(value.get_secret_value())
        return value

    def require_database_url(self) -> str:
        """The database's URL.

        Raises:
            EnvironmentProblem: it is not set.
        """
        return _required(self.database_url, "CLAIMD_DATABASE_URL")

    def require_broker_url(self) -> str:
        """The broker's URL.

        Raises:
            EnvironmentProblem: it is not set.
        """
        return _required(self.broker_url, "CLAIMD_BROKER_URL")

    @property
    def public_base(self) -> str:
        """Where links in reports lead, without a slash at the end."""
        return (self.public_url or f"http://{self.api_host}:{self.api_port}").rstrip("/")

    def require_secret_key(self) -> bytes:
        """The 32 bytes that all of claimd's keys are derived from.

        Raises:
            EnvironmentProblem: neither the setting nor the data folder has them.
        """
        if self.secret_key is not None:
            return decode_key(self.secret_key.get_secret_value())
        path = self.data_dir / "secret.key"
        try:
            return decode_key(path.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            raise EnvironmentProblem(
                "There is no secret key: set CLAIMD_SECRET_KEY, or CLAIMD_DATA_DIR to that of `claimd up`."
            ) from error


def decode_key(text: str) -> bytes:
    """32 bytes from base64.

    Raises:
        ValueError: it is anything else.
    """
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(key) != 32:  # noqa: PLR2004  # AES-256
        raise ValueError(f"a key of 32 bytes in base64 is needed, this one has {len(key)}")
    return key


def load_settings(**overrides: object) -> Settings:
    """The settings of this process; `overrides` come from the command line.

    Raises:
        EnvironmentProblem: a setting has a value that it cannot have.
    """
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "CLAIMD_" + "_".join(str(part) for part in first["loc"]).upper()
        raise EnvironmentProblem(f"The setting {name} cannot be used: {first['msg']}.") from error


def _required(value: SecretStr | None, name: str) -> str:
    if value is None:
        raise EnvironmentProblem(f"{name} is not set, and no `claimd up` was found running in the data folder.")
    return value.get_secret_value()
