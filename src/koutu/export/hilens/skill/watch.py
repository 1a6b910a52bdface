"""When to stop: at a signal, or when a call into the framework does not come back.

Python handles signals in its main thread, between two of its own steps. A main thread that the framework holds fast, as
by a camera whose network is gone, would neither hear the Kit's SIGTERM nor see that nothing goes on; a second thread
does. It ends the process without a farewell, so that the Kit may start the skill anew.
"""

import os
import select
import signal
import socket
import threading
import time

GRACE = 10.0  # seconds that are left to end in order after a signal
HELD = 6  # the exit code
_TICK = 0.5


class Watch:
    """stop: a threading.Event, set at SIGTERM and SIGINT. To be made in the main thread."""

    def __init__(self):
        self.stop = threading.Event()
        self.patience = 0.0  # seconds between two beats; 0 any
        self._asked, self._beat, self._over = None, time.monotonic(), False
        self._ear, self._mouth = socket.socketpair()
        self._mouth.setblocking(False)
        signal.set_wakeup_fd(self._mouth.fileno())  # written to at once, whatever the main thread does
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop.set())
        thread = threading.Thread(target=self._watch, name="watch")
        thread.daemon = True
        thread.start()

    def beat(self):
        """The main thread goes on."""
        self._beat = time.monotonic()

    def wait(self, seconds):
        """Wait, but not longer than until `stop`."""
        end = time.monotonic() + seconds
        while not self.stop.is_set() and time.monotonic() < end:
            self.beat()
            self.stop.wait(min(1.0, max(0.0, end - time.monotonic())))
        self.beat()

    def close(self):
        """The end is near and in order: watch no more."""
        self._over = True
        signal.set_wakeup_fd(-1)

    def _watch(self):
        while not self._over:
            if select.select([self._ear], [], [], _TICK)[0]:
                self._ear.recv(64)
                self.stop.set()
                self._asked = self._asked or time.monotonic()
            now = time.monotonic()
            if self._asked and now - self._asked > GRACE:
                self._end(f"was told to stop {GRACE:.0f} s ago")
            if self.patience and now - self._beat > self.patience:
                self._end(f"has not gone on for {self.patience:.0f} s")

    def _end(self, why):
        if not self._over:
            os.write(2, f"[ERROR] the skill {why}: a call into the framework does not come back\n".encode())
            os._exit(HELD)
