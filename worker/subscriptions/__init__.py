"""Prepaid periods: when they start and end, who is reminded, and what they add up to."""

from worker.subscriptions.activation import activate_due
from worker.subscriptions.expiry import expire_due, remind

__all__ = ["activate_due", "expire_due", "remind"]
