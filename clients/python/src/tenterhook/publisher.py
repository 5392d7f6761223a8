"""Publishing many events: they are collected and sent in batches by a few threads.

Memory is bounded: while `max_pending` events wait for their answer, `publish` waits, or fails after `timeout` seconds with the
kind `full`. What waits is sent before the interpreter ends."""
from __future__ import annotations

import atexit
import collections
import json
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from . import errors
from ._sync import Tenterhook
from .generated.models import EventAccepted, EventNew


class Publisher:
    """max_batch: most events of a batch, up to 1000. max_batch_bytes: most bytes of its events. linger: how long an event waits for
    others, in seconds. max_pending: most events that wait or are under way. threads: most batches under way."""

    def __init__(self, client: Tenterhook, *, max_batch: int = 100, max_batch_bytes: int = 512 * 1024, linger: float = 0.02, max_pending: int = 10_000,
                 threads: int = 4):
        self._client, self._max_batch, self._max_bytes, self._linger, self._max_pending = client, max_batch, max_batch_bytes, linger, max_pending
        self._queue: collections.deque[tuple[dict[str, Any], int, Future[EventAccepted]]] = collections.deque()
        self._pending, self._hurry, self._closed = 0, 0, False
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._work, daemon=True, name="tenterhook-publisher") for _ in range(threads)]
        for thread in self._threads:
            thread.start()
        atexit.register(self.close)

    def publish(self, event: EventNew | Mapping[str, Any], timeout: float | None = None) -> Future[EventAccepted]:
        """Takes an event; the future ends when it is stored durably, or was refused. timeout 0: does not wait for room."""
        value = dict(event) if isinstance(event, Mapping) else event.to_dict()
        size, future = len(json.dumps(value)), Future[EventAccepted]()
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or self._pending < self._max_pending, timeout):
                raise errors.TenterhookError("full", f"{self._pending} events wait already")
            if self._closed:
                raise errors.TenterhookError("closed", "the publisher is closed")
            self._pending += 1
            self._queue.append((value, size, future))
            self._changed.notify_all()
        return future

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until everything that was taken is answered; gives whether it is."""
        with self._changed:
            self._hurry += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: self._pending == 0, timeout)
            finally:
                self._hurry -= 1

    def close(self, timeout: float | None = None) -> None:
        """Takes no more, and waits as `flush` does."""
        self.flush(timeout)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        atexit.unregister(self.close)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                if not self._hurry:
                    self._changed.wait_for(lambda: self._hurry or self._closed or len(self._queue) >= self._max_batch, self._linger)
                batch = self._take()
            self._settle(batch)
            with self._changed:
                self._pending -= len(batch)
                self._changed.notify_all()

    def _take(self) -> list[tuple[dict[str, Any], int, Future[EventAccepted]]]:
        """The events at the front that fit into one batch: of one tenant, and not too long together."""
        batch: list[tuple[dict[str, Any], int, Future[EventAccepted]]] = []
        size = 0
        while self._queue and len(batch) < self._max_batch:
            event, length, _ = self._queue[0]
            if batch and (size + length > self._max_bytes or event.get("tenant") != batch[0][0].get("tenant")):
                break
            size += length
            batch.append(self._queue.popleft())
        return batch

    def _settle(self, batch: list[tuple[dict[str, Any], int, Future[EventAccepted]]]) -> None:
        """A batch is taken as a whole or not at all: when it is refused, its events are sent one by one."""
        if not batch:
            return
        try:
            answers = self._client.events.publish_batch([event for event, _, _ in batch])
        except errors.ApiError as error:
            if len(batch) > 1 and error.status in (400, 404, 409, 413, 422):
                for one in batch:
                    self._settle([one])
                return
            self._fail(batch, error)
        except BaseException as error:  # a future must end, whatever happens
            self._fail(batch, error)
        else:
            for (_, _, future), answer in zip(batch, answers):
                future.set_result(answer)

    @staticmethod
    def _fail(batch: list[tuple[dict[str, Any], int, Future[EventAccepted]]], error: BaseException) -> None:
        for _, _, future in batch:
            future.set_exception(error)
