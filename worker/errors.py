"""Everything that claimd raises on purpose.

ClaimdError
├── EnvironmentProblem      a server, a setting or a file that claimd needs; exit code 2
│   └── WrongSchema         the database has another schema than this program
├── Refused                 the request cannot be carried out; each has a stable problem type
│   ├── NotFound
│   ├── Forbidden
│   ├── AlreadyExists       a name or an identifier is taken
│   ├── ImportConflicts     lines of an inventory file contradict each other or the inventory
│   ├── WrongState          it makes no sense in the batch's present state
│   ├── Invalid             an option or a body that cannot be understood
│   ├── InputPruned         it was kept for so long and no longer
│   └── ResultsPruned       the same
└── LostLease               the work item was given to someone else, or taken back

The first line of a class's docstring is the title that users see.
"""

from typing import ClassVar


class ClaimdError(Exception):
    """Something that claimd noticed."""


class EnvironmentProblem(ClaimdError):
    """What claimd needs to run is missing or unusable; the message is one sentence for a person."""


class WrongSchema(EnvironmentProblem):
    """The database's schema is not this program's."""


class Refused(ClaimdError):
    """The request was refused."""

    status: ClassVar[int] = 400
    problem_type: ClassVar[str] = "refused"

    def __init__(self, detail: str, **extensions: object) -> None:
        """`detail` is for people; `extensions` become further members of the problem document."""
        super().__init__(detail)
        self.detail = detail
        self.extensions = extensions

    @property
    def title(self) -> str:
        return (type(self).__doc__ or "").splitlines()[0].rstrip(".")


class NotFound(Refused):
    """There is no such thing."""

    status = 404
    problem_type = "not-found"


class Forbidden(Refused):
    """The token's roles do not allow this."""

    status = 403
    problem_type = "forbidden"


class AlreadyExists(Refused):
    """There is one already."""

    status = 409
    problem_type = "already-exists"


class ImportConflicts(Refused):
    """The inventory file cannot be imported."""

    status = 422
    problem_type = "inventory-conflict"


class WrongState(Refused):
    """This makes no sense in the batch's present state."""

    status = 409
    problem_type = "wrong-state"


class ResultsNotReady(WrongState):
    """The results are not ready yet."""

    problem_type = "results-not-ready"


class HoldWindowOver(WrongState):
    """The hold window is over."""

    problem_type = "hold-window-over"


class PreviewLapsed(WrongState):
    """The preview has lapsed."""

    problem_type = "preview-lapsed"


class Invalid(Refused):
    """The request cannot be understood."""

    status = 422
    problem_type = "invalid-request"


class InputPruned(Refused):
    """The input is no longer kept."""

    status = 410
    problem_type = "input-pruned"


class ResultsPruned(Refused):
    """The results are no longer kept."""

    status = 410
    problem_type = "results-pruned"


class LostLease(ClaimdError):
    """The work item was given to someone else, or taken back."""
