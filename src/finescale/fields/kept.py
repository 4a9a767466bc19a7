"""Results that serve again, the latest few of them."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """What was made for a key; what was asked for longest ago goes first. Threads that want the same make it once.

    Args:
        room: sizes of all that is kept; the one made last stays, whatever its size.
        size: of one.
    """

    def __init__(self, room: int, size: Callable[[Value], int] = lambda _: 1) -> None:
        self.room, self.size = room, size
        self._held: OrderedDict[Key, Future[Value]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, key: Key, make: Callable[[], Value]) -> Value:
        """The result of a key, made where there is none."""
        with self._lock:
            wanting = key not in self._held
            held = self._held.setdefault(key, Future())
            self._held.move_to_end(key)
        if wanting:
            self._fill(key, held, make)
        return held.result()

    def _fill(self, key: Key, held: Future[Value], make: Callable[[], Value]) -> None:
        try:
            held.set_result(make())
        except BaseException as error:
            with self._lock:
                del self._held[key]
            held.set_exception(error)
            raise
        with self._lock:
            self._trim(key)

    def _trim(self, latest: Key) -> None:
        """Let the oldest go until the others fit."""
        sizes = {key: self.size(held.result()) for key, held in self._held.items() if held.done()}
        for key in list(sizes):
            if sum(sizes.values()) > self.room and key != latest:
                del self._held[key], sizes[key]
