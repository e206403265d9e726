"""What might lie in a queue by mistake or by malice: bytes, or what becomes JSON."""

import base64
import json
import pickle
from typing import Any, Final


def _message(content: object, **changes: Any) -> dict[str, Any]:
    """A message as Celery sends them, with `changes`."""
    return {
        "body": base64.b64encode(json.dumps(content).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": "claims.resolve",
            "id": "1",
            "root_id": "1",
            "parent_id": None,
            "group": None,
        },
        "properties": {
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "interactive"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "1",
        },
        **changes,
    }


def _of_task(task: str, *arguments: object) -> dict[str, Any]:
    found = _message([list(arguments), {}, {}])
    return {**found, "headers": {**found["headers"], "task": task}}


_PICKLED = base64.b64encode(pickle.dumps([["bat_1"], {}, {}])).decode()
HOSTILE: Final[dict[str, Any]] = {
    "not JSON": b"\x80 this is not JSON",
    "not text": b"\xff\xfe\xfd",
    "nothing": b"",
    "null": None,
    "a number": 7,
    "a text": "ring",
    "a list": [1, 2, 3],
    "an empty object": {},
    "deep": json.loads("[" * 500 + "]" * 500),
    "properties of another shape": _message([], properties=[1]),
    "no properties": {"body": "", "headers": {}},
    "no delivery tag": _message([], properties={}),
    "no headers": _message([[], {}, {}], headers=None),
    "headers of another shape": _message([[], {}, {}], headers="ring"),
    "empty headers": _message([[], {}, {}], headers={}),
    "a task that is an object": _message([[], {}, {}], headers={"task": {}, "id": "1"}),
    "no ID": _message([["bat_1"], {}, {}], headers={"task": "claims.resolve"}),
    "an unknown task": _of_task("os.system", "true"),
    "a batch that does not exist": _of_task("claims.resolve", "bat_00000000000000000000000000"),
    "an ID that is a list": _of_task("claims.apply", ["bat_1"]),
    "too many arguments": _of_task("claims.finish", *range(100)),
    "a megabyte": _of_task("claims.resolve", "x" * 1_000_000),
    "pickled": _message([], body=_PICKLED, **{"content-type": "application/x-python-serialize"}),
    "pickled, and said to be JSON": _message([], body=_PICKLED),
    "an unknown content type": _message([], **{"content-type": "image/png"}),
    "an unknown encoding": _message([[], {}, {}], **{"content-encoding": "rot13"}),
    "a body that is not base64": _message([], body="\u00e9"),
    "a body of another shape": _message({"args": "bat_1"}),
    "a body that is a number": _message(7),
    "arguments of another shape": _message(["bat_1", [], "chain"]),
    "an ETA that is none": _message(
        [["bat_1"], {}, {}], headers={"task": "claims.resolve", "id": "1", "eta": "tomorrow"}
    ),
    "a time limit that is none": _message(
        [["bat_1"], {}, {}], headers={"task": "claims.resolve", "id": "1", "timelimit": "long"}
    ),
}
