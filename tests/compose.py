"""The compose file as tests need it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from compose_spec import PyCompose
from compose_spec.models import ComposeSpecification

ROOT = Path(__file__).parents[1]
_VARIABLE = re.compile(r"\$\{(\w+):\?[^}]*\}")


def read_compose() -> dict[str, Any]:
    """The compose file as written, its anchors resolved."""
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))


def checked(document: Mapping[str, Any]) -> ComposeSpecification:
    """The document by the compose specification.

    Raises:
        ValueError: it does not conform; unknown keys do not.
    """
    return PyCompose.from_json(json.dumps(document)).to_spec()


def claimd_services() -> dict[str, dict[str, Any]]:
    """The services that run claimd's own image."""
    return {name: each for name, each in read_compose()["services"].items() if each["image"] == "claimd"}


def environment(service: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service, with `values` for the variables that the user has to set."""
    return {name: _VARIABLE.sub(lambda match: values[match[1]], text) for name, text in service["environment"].items()}


def required_variables() -> set[str]:
    """The variables without which nothing starts."""
    return set(_VARIABLE.findall((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
