"""Batches: accepted, resolved, applied, finished, reported by their documents."""

from worker.batches.admission import Draining, TooManyWaiting
from worker.batches.derived import plan_held, revert
from worker.batches.lifecycle import cancel, confirm, resume
from worker.batches.submit import (
    SubmitOptions,
    check_submission,
    get_batch,
    list_batches,
    submit,
)
from worker.batches.uploads import Upload, UploadLapsed, begin_upload

__all__ = [
    "Draining",
    "SubmitOptions",
    "TooManyWaiting",
    "Upload",
    "UploadLapsed",
    "begin_upload",
    "cancel",
    "check_submission",
    "confirm",
    "get_batch",
    "list_batches",
    "plan_held",
    "resume",
    "revert",
    "submit",
]
