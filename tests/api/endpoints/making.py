"""Endpoints made over HTTP."""

from typing import Any

import httpx2

Document = dict[str, Any]


def make(api: httpx2.Client, endpoints: str, target: str, **wish: object) -> Document:
    """A new endpoint's document, with its secret; a webhook unless `kind` says otherwise."""
    answer = api.post(endpoints, json={"kind": "webhook", "target": target, **wish})
    assert answer.status_code == 201, answer.text
    document: Document = answer.json()
    assert answer.headers["Location"] == f"/v1/endpoints/{document['id']}"
    return document
