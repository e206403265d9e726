"""What tasks are called in messages: changing a name loses the messages that are under way."""

from worker.states import WorkKind


def task_name(kind: WorkKind) -> str:
    """The task that does a step of this kind."""
    return f"claims.{kind}"
