"""Limits against strangers in the same network: on tries, on requests, and on connections.

A whole class may stand behind one address, where its network translates addresses. So a limit by address must leave room for a
class, and what one phone may do is limited by the phone.
"""

import time
from collections import Counter
from collections.abc import Callable

from uvicorn.protocols.http.h11_impl import H11Protocol

PHONES = 1000  # that may join a round
FROM_ONE_ADDRESS = 1200  # connections: two for each phone of a lecture hall behind one address
CONNECTIONS = 3000  # in all
PATIENCE = 10  # seconds, within which a connection must have said what it wants


class Allowance:
    """So many at once, and so many a second from then on, for each key.

    Args:
        burst: how many at once.
        rate: how many a second are added, up to `burst`.
    """

    MOST_KEYS = 10_000

    def __init__(self, burst: int, rate: float, clock: Callable[[], float] = time.monotonic):
        self.burst, self.rate, self.clock = burst, rate, clock
        self._left: dict[str, tuple[float, float]] = {}

    def left(self, key: str) -> bool:
        """Whether one is left."""
        return self._now(key) >= 1

    def take(self, key: str) -> bool:
        """Use one. False if none was left."""
        if not self.left(key):
            return False
        if len(self._left) >= self.MOST_KEYS:  # those who have all of theirs need no place
            self._left = {known: entry for known, entry in self._left.items() if self._now(known) < self.burst}
        self._left[key] = (self._now(key) - 1, self.clock())
        return True

    def _now(self, key: str) -> float:
        left, when = self._left.get(key, (self.burst, 0.0))
        return min(self.burst, left + self.rate * (self.clock() - when))


class Guarded(H11Protocol):
    """Connections that are counted by address, and closed if they are silent."""

    by_address: Counter[str] = Counter()

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self.by_address[self.address] += 1
        self._silence = None
        if self.by_address[self.address] > FROM_ONE_ADDRESS:
            transport.abort()
        else:
            self._look()

    def connection_lost(self, exc) -> None:
        super().connection_lost(exc)
        self.by_address[self.address] -= 1
        if not self.by_address[self.address]:
            del self.by_address[self.address]
        if self._silence:
            self._silence.cancel()

    def _look(self, was_idle: bool = False) -> None:
        """From time to time: is a request being answered? Twice not: whoever holds the connection open does no more."""
        is_idle = self.cycle is None or self.cycle.response_complete
        if was_idle and is_idle:
            self.transport.abort()
            return
        self._silence = self.loop.call_later(PATIENCE, self._look, is_idle)
