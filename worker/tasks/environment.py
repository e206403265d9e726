"""Handing settings to a child process; secrets go this way because everybody sees arguments."""

import os

from pydantic import SecretStr

from worker.settings import Settings


def environment_of(settings: Settings) -> dict[str, str]:
    """This process's environment with everything that is set in `settings`."""
    plain = settings.model_dump(mode="json")
    chosen = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        chosen[name] = value.get_secret_value() if isinstance(value, SecretStr) else plain[name]
    named = {f"CLAIMD_{name.upper()}": str(value) for name, value in chosen.items() if value is not None}
    return {**os.environ, **named}
