"""A prediction for a terminal of 100 columns."""

import textwrap
from collections.abc import Iterator
from typing import Any

from koutu.bench.text import short, size_text


def lines(content: dict[str, Any]) -> Iterator[str]:
    """Microseconds by layer and in all, what was assumed, and what is not counted."""
    chip = content["chip"]
    yield f"PREDICTION, not a measurement: {content['model']} on {chip['title']}"
    sizes = f"frames of {size_text(content['frames'])}, shown as {size_text(content['network_size'])}"
    yield f"{content['precision']}, {sizes}"
    yield ""
    yield f"{'layer':37} {'what comes out':>17}{'MMACs':>8}{'MB':>7}{'products':>9}{'other':>7}{'memory':>7}{'us':>7}"
    for row in content["layers"]:
        shape = "×".join(map(str, row["shape"]))
        yield (
            f"{short(_name(row), 37):37} {short(shape, 17):>17}{row['macs'] / 1e6:8.2f}{row['bytes'] / 1e6:7.2f}"
            f"{row['products_us']:9.1f}{row['arithmetic_us']:7.1f}{row['memory_us']:7.1f}{row['us']:7.1f}"
        )
    yield ""
    yield from _sums(content)


def _name(row: dict[str, Any]) -> str:
    place = row["name"].strip("/").replace("/rewritten", "").split("/")
    return f"{row['kind']} {'/'.join(place[-3:-1])}".strip()


def _sums(content: dict[str, Any]) -> Iterator[str]:
    by: dict[str, float] = {}
    for row in content["layers"]:
        by[row["by"]] = by.get(row["by"], 0.0) + row["us"]
    shares = ", ".join(f"{need} {us / 1000:.2f}" for need, us in sorted(by.items(), key=lambda item: -item[1]))
    yield f"predicted: {content['ms']:.2f} ms a frame; waiting for {shares} ms"
    yield (
        f"{content['gmacs']:.2f} GMACs, {content['gmacs_in_blocks']:.2f} in whole blocks of 16; "
        f"{content['megabytes']:.0f} MB to and from memory; {content['kernels']} kernels"
    )
    said = (
        f"Not counted: starting a kernel (each microsecond adds {content['kernels'] / 1000:.2f} ms), kernels that fall "
        "short of the chip's rates, and what caches spare. Treat it as a lower bound and compare networks by it."
    )
    for text in (said, f"The chip's numbers: {content['chip']['source']}."):
        yield from textwrap.wrap(text, 100)
    if content["rewritten"]:
        yield f"{len(content['rewritten'])} operators that its list does not know are predicted as they are rewritten"
    for finding in content["not_counted"]:
        yield from textwrap.wrap(f"NOT COUNTED, the list does not know it: {finding}", 100, subsequent_indent="  ")
