"""What stops a live round from beginning."""


class LiveError(Exception):
    """The round cannot begin. The message says why, and what to do."""
