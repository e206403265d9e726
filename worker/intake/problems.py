"""What makes an input unusable as a whole: the batch ends `rejected`, with one of these problems."""

from dataclasses import dataclass

from worker.errors import ClaimdError


@dataclass(eq=False)
class InputRejected(ClaimdError):
    """The content cannot be used as a whole."""

    problem_type: str
    title: str
    detail: str
    line: int | None = None

    def __str__(self) -> str:
        return self.detail if self.line is None else f"Line {self.line}: {self.detail}"

    def problem(self) -> dict[str, str | int | None]:
        """The batch's `problem`, as its owner sees it."""
        return {"type": self.problem_type, "title": self.title, "detail": self.detail, "line": self.line}


def empty() -> InputRejected:
    return InputRejected("empty", "The input has no rows", "There is nothing to claim in this input.")


def not_csv(detail: str) -> InputRejected:
    return InputRejected("not-csv", "This is not a CSV file", detail)


def not_json(detail: str) -> InputRejected:
    return InputRejected("not-json", "This is not the expected JSON", detail)


def undecodable() -> InputRejected:
    return InputRejected(
        "undecodable",
        "The text cannot be decoded",
        "The file is neither UTF-8 nor UTF-16 nor Windows-1252. Save it as “CSV UTF-8”.",
    )


def record_too_large(line: int, limit: int) -> InputRejected:
    return InputRejected(
        "record-too-large", "A record is too large", f"A line is longer than {limit:,} characters.", line
    )


def unbalanced_quotes(line: int) -> InputRejected:
    return InputRejected(
        "unbalanced-quotes",
        "A quote is never closed",
        'In the record that begins here a cell is opened with a quote (") that is never closed.',
        line,
    )


def too_many_columns(line: int, limit: int) -> InputRejected:
    return InputRejected("too-many-columns", "Too many columns", f"A record has more than {limit:,} cells.", line)


def too_many_rows(line: int | None, limit: int) -> InputRejected:
    return InputRejected(
        "too-many-rows",
        "Too many rows",
        f"The input has more than {limit:,} rows. Split it and send the parts one by one.",
        line,
    )


def no_known_column(columns: int, known: tuple[str, ...], line: int) -> InputRejected:
    # What stands in the first line is not repeated here: without a header it may be a claim code.
    return InputRejected(
        "no-known-column",
        "No column is known",
        f"A header is needed: none of the {columns} columns is called {', '.join(known[:-1])} or {known[-1]}.",
        line,
    )


def repeated_column(name: str, line: int) -> InputRejected:
    return InputRejected("repeated-column", "A column comes twice", f"More than one column is called {name}.", line)
