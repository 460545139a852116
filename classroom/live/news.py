"""Those who wait for news, and the streams of events (server-sent events) that carry it to their browsers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

BEAT = 10  # seconds between signs of life: a browser that hears none connects again


class News:
    """Wakes those who wait. Whoever missed some news sees the newest state, so none is queued."""

    def __init__(self):
        self.version = 0
        self._next = asyncio.Event()

    def tell(self) -> None:
        self.version += 1
        self._next.set()
        self._next = asyncio.Event()

    async def after(self, version: int, patience: float) -> None:
        """Wait until there is news that is newer than this version, or for so many seconds."""
        if self.version == version:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._next.wait(), patience)


async def stream(news: News, view: Callable[[], dict | None], pause: float = 0.0) -> AsyncIterator[str]:
    """The view, each time that it has changed. None ends the stream.

    pause: at least so many seconds lie between two of them.
    """
    sent = ""
    while True:
        version = news.version
        if (seen := view()) is None:
            return
        text = json.dumps(seen)
        yield "event: beat\ndata:\n\n" if text == sent else f"data: {text}\n\n"
        sent = text
        await asyncio.sleep(pause)
        await news.after(version, BEAT)
