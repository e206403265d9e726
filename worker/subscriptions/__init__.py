"""Prepaid periods: when they start and end, who is reminded, and what they add up to."""

from worker.subscriptions.activation import activate_due
from worker.subscriptions.billing import Filters, subscription_counts, subscription_page, subscriptions_csv
from worker.subscriptions.expiry import expire_due, remind

__all__ = [
    "Filters",
    "activate_due",
    "expire_due",
    "remind",
    "subscription_counts",
    "subscription_page",
    "subscriptions_csv",
]
