"""The only thing between two stages of a pipeline: a bounded queue that knows how to end."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Condition, Thread
from time import perf_counter
from typing import Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Closed(Exception):
    """The other side of a mailbox has left."""


class Mailbox(Generic[T]):
    """At most `size` items between one writer and one reader.

    When full, `put` waits, or drops the oldest item if `live`. Closing by the writer lets the reader take what is left
    and then end, or meet the writer's error; closing by the reader makes the next `put` raise `Closed`.
    """

    def __init__(self, size: int = 4, *, live: bool = False):
        if size < 1:
            raise ValueError(f"expected a mailbox size of at least 1, got {size}")
        self.size, self.live, self.dropped = size, live, 0
        self._items: deque[T] = deque()
        self._closed = False
        self._error: BaseException | None = None
        self._changed = Condition()

    def put(self, item: T) -> None:
        """Hand over one item; raises `Closed` when nobody will read it."""
        with self._changed:
            while len(self._items) >= self.size and not self._closed:
                if self.live:
                    self._items.popleft()
                    self.dropped += 1
                else:
                    self._changed.wait()
            if self._closed:
                raise Closed
            self._items.append(item)
            self._changed.notify_all()

    def get(self, seconds: float | None = None) -> T:
        """The next item; raises the writer's error, `Closed` at the end, or TimeoutError if none came in `seconds`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._closed, seconds):
                raise TimeoutError(f"no item in {seconds} s")
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            raise self._error or Closed

    def drain(self) -> list[T]:
        """All items that are there, without waiting."""
        with self._changed:
            items = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return items

    def close(self, error: BaseException | None = None) -> None:
        """No more items will be put, or read; the first error given is the one the reader meets."""
        with self._changed:
            self._error = self._error or error
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """The reader leaves: what waits is thrown away and the writer's next `put` raises `Closed`."""
        with self._changed:
            self._items.clear()
        self.close()

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                yield self.get()
            except Closed:
                return


class Stage(Thread):
    """A thread that runs `work` on each item of `inbox`; `busy_seconds` and `count` tell what it did.

    Without `work` the items go through as they come, and making them is the work.
    """

    def __init__(self, work: Callable[[Any], Any] | None, inbox: Iterable, outbox: Mailbox, name: str):
        super().__init__(name=f"koutu-{name}", daemon=True)
        self.work, self.inbox, self.outbox = work, inbox, outbox
        self.busy_seconds, self.count = 0.0, 0

    def run(self) -> None:
        error: BaseException | None = None
        try:
            items, end = iter(self.inbox), object()
            while True:
                asked = perf_counter()
                item = next(items, end)
                if item is end:
                    break
                started = perf_counter()
                result = self.work(item) if self.work else item
                self.busy_seconds += perf_counter() - (started if self.work else asked)
                self.count += 1
                self.outbox.put(result)
        except Closed:
            pass  # the reader left first
        except BaseException as e:
            error = e
        if isinstance(self.inbox, Mailbox):
            self.inbox.abandon()
        self.outbox.close(error)


def stage(work: Callable[[T], U] | None, inbox: Iterable[T], outbox: Mailbox[U], *, name: str = "stage") -> Stage:
    """Run `work` on every item of `inbox` in its own thread; an error stops the writer and is raised in the reader.

    An `inbox` that is a Mailbox is abandoned when the stage ends, so that the stage before it ends too. `work` None
    makes a source of any iterable.
    """
    thread = Stage(work, inbox, outbox, name)
    thread.start()
    return thread


def stop(stages: Iterable[Stage], *, seconds: float = 30.0) -> None:
    """Let every stage end at its next item and wait for the threads."""
    stages = list(stages)
    for thread in stages:
        thread.outbox.abandon()
    for thread in stages:
        thread.join(seconds)
