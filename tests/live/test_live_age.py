"""On one core that a busy neighbour shares, pictures stay young for who sees them, by stream, file and page alike."""

import os
from statistics import median
from time import perf_counter

import numpy as np
import pytest
from support.live_age import Sender, Viewer, busy_core, growth, write_numbered
from support.live_parts import Keep, Reader, live_of

from koutu.types import Yuv420

if not hasattr(os, "sched_setaffinity"):
    pytest.skip("expected a system that keeps a thread on a core, as Linux does", allow_module_level=True)

RATE, SIZE, SEEN = 25, (64, 96), 30
CONNECTIONS = 0.3  # seconds for two connections, whose demuxers wait for the next picture, and two decoders
WORK = 0.02  # seconds of a core that a frame's matting takes


class Whole(Reader):
    """A backend that works and sees everybody everywhere."""

    def __call__(self, rgb, state, **hints):
        until = perf_counter() + WORK
        while perf_counter() < until:
            np.linalg.inv(np.eye(60) + rgb[:60, :60, 0] / 1e4)  # leaves Python to others, as a network does
        return None, np.ones(rgb.shape[:2], np.float32), 0


def test_nothing_piles_up_beside_a_busy_neighbour(tmp_path):
    """Of small pictures pipes and sockets hold many: none waits there while the newest could be sent."""
    y, u, v = (np.full((SIZE[0] // n, SIZE[1] // n), 128, np.uint8) for n in (1, 2, 2))
    path = write_numbered(tmp_path / "numbers.ts", [Yuv420(y, u, v)] * 1000, RATE)
    sender, viewer = Sender(path), Viewer()
    with busy_core():
        live = live_of(sender.url, [viewer.url, Keep(), str(tmp_path / "out.mkv")], Whole(), seconds=38)
        began = sender.began()
        report = live.run(lambda live: live.quit() if len(viewer.seen) >= SEEN else None)
    sender.close()
    viewer.join(10)
    if not viewer.seen:
        pytest.skip("the process that sends did not begin within 38 s: this machine is too busy to say anything")
    ages, promise = viewer.ages(began, RATE), 2 * sum(report.stage_ms.values()) / 1000
    assert len(ages) >= SEEN - 10
    assert median(ages) < promise + CONNECTIONS and growth(ages) < 0.1
    for outlet in live.outlets:
        told = outlet.record.ages_ms()
        assert told is not None and told[0] / 1000 < promise + 0.1  # the middle: some came while it was connected
