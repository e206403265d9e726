"""What is wrong with a report."""


class Finding(Exception):
    """Sentences for a person; they end the check of one part."""

    def __init__(self, *sentences: str) -> None:
        super().__init__(*sentences)
        self.sentences = sentences
