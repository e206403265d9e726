"""Prepaid periods: when they start and end, who is reminded, and what they add up to."""
