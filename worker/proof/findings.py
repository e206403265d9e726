"""What is wrong with a report."""


class Finding(Exception):
    """One sentence for a person; it ends the check of one part."""
