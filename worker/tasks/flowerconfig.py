"""Flower's configuration file; addresses and the password come from claimd's settings (`flower.py`)."""

from celery.events.state import Task

read_only = True
persistent = False
max_tasks = 10_000
max_workers = 200
purge_offline_workers = 60
inspect_timeout = 3000.0
tasks_columns = "name,args,state,received,runtime,worker,uuid"
task_runtime_metric_buckets = [0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0]
logging = "none"  # claimd's own is set up already


def format_task(task: Task) -> Task:
    """Show the batch as `bat_…` instead of `('bat_…',)`; a message holds nothing else."""
    task.args = (task.args or "").strip("(),'\"") or "-"
    return task
