"""What stops a collection."""


class CollectError(Exception):
    """The submissions cannot be collected, or a collection cannot be read. The message says why and what to do."""
