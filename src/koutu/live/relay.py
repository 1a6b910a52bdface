"""A process that sends a stream on over the network, so that a receiver that hangs holds up nothing but this process.

Run as `python -m koutu.live.relay`: a line of JSON, then NUT, on standard input; one line on standard output when the
receiver is there and one for each frame that is sent, one on standard error when something is wrong. The address is not
on the command line, where everybody on the machine could read its key.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from threading import Condition, Thread
from time import monotonic, sleep
from typing import Any

from koutu.live.output_thread import SinkLost

CONNECTED, SENT = "connected", "sent"
STUCK = 10.0  # seconds that the receiver may take nothing before it counts as gone
# Bytes that may lie in the system for a receiver that is slow: it would else hold many seconds, and all would be old.
SEND_BUFFER = 65_536
END = 10.0  # seconds for it to take what is left at the end


class Relay:
    """The process and the pipe to it; `write` raises SinkLost when the receiver is gone. connected: it was reached.

    sent: called, from a thread, for each frame in order when the network has taken it.
    """

    def __init__(self, url: str, format: str, options: dict[str, str], sent: Callable[[], None] = lambda: None):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "koutu.live.relay"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.connected, self._words, self._sent = False, "", sent
        self._changed, self._ended = Condition(), False
        self._since: float | None = None  # when the writing that is going on began
        self._listeners = [Thread(target=work, daemon=True, name="koutu-relay") for work in (self._hear, self._read)]
        for thread in self._listeners:
            thread.start()
        Thread(target=self._watch, daemon=True, name="koutu-relay-watch").start()
        self.write(json.dumps({"url": url, "format": format, "options": options}).encode() + b"\n")

    def write(self, data: bytes) -> int:
        """Hand data on."""
        assert self._process.stdin is not None
        self._since = monotonic()
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise SinkLost(self._why()) from error
        finally:
            self._since = None
        return len(data)

    def wait(self, ready: Callable[[], bool]) -> None:
        """Until `ready`, which is asked when a frame was sent; raises SinkLost if the receiver takes none for long."""
        with self._changed:
            answered = self._changed.wait_for(lambda: ready() or self._ended, STUCK)
        if not answered:
            self._words = f"no answer for {STUCK:g} s"
            self._process.kill()
        if not ready():
            raise SinkLost(self._why())

    def finish(self) -> None:
        """Everything is written; wait until it is sent. Raises SinkLost if it cannot be."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            code = self._process.wait(END)
        except subprocess.TimeoutExpired:
            self.kill()
            raise SinkLost(f"no answer for {END:g} s at the end") from None
        if code:
            raise SinkLost(self._why())

    def kill(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.wait()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.connected = self.connected or line.strip() == CONNECTED.encode()
                if line.strip() == SENT.encode():
                    with self._changed:
                        self._sent()
                        self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._words = line.decode(errors="replace").strip() or self._words

    def _watch(self) -> None:
        while self._process.poll() is None:
            sleep(0.5)
            since = self._since
            if since is not None and monotonic() - since > STUCK:
                self._words = f"no answer for {STUCK:g} s"
                self._process.kill()

    def _why(self) -> str:
        """Why the process ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        for thread in self._listeners:
            thread.join(2)
        return self._words or "it closed the connection"


class Arriving:
    """Standard input as it comes: a reader that waits for a full buffer would hold small pictures back."""

    def read(self, size: int) -> bytes:
        """Some bytes, at most `size`; none at the end."""
        arriving: Any = sys.stdin.buffer  # as io.BufferedReader
        return arriving.read1(size)


def main() -> int:
    """Read the line and the stream, and send it; the exit code."""
    import av
    from av.error import FFmpegError

    order = json.loads(sys.stdin.buffer.readline())
    try:
        _send(av, order)
    except (FFmpegError, OSError, ValueError) as error:
        print(str(getattr(error, "strerror", None) or error).lower(), file=sys.stderr, flush=True)
        return 1
    return 0


def _send(av: Any, order: dict[str, Any]) -> None:
    read = {"probesize": "32", "analyzeduration": "0"}  # NUT tells all there is to know at its beginning
    with (
        av.open(Arriving(), "r", format="nut", container_options=read, buffer_size=4096) as source,
        av.open(order["url"], "w", format=order["format"], container_options=order["options"]) as out,
    ):
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        out.start_encoding()
        hold_little()
        print(CONNECTED, flush=True)
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                is_frame = packet.stream.type == "video"
                out.mux(packet)
                if is_frame:
                    print(SENT, flush=True)


def hold_little() -> None:
    """Bound what the system holds for this process's connections: FFmpeg's are opened without a way to say so."""
    folder = "/dev/fd"  # Windows has none, and keeps its own bound
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        try:
            one = socket.socket(fileno=os.dup(int(name)))
        except OSError:  # a file or a pipe
            continue
        with one, contextlib.suppress(OSError):
            if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


if __name__ == "__main__":
    sys.exit(main())
