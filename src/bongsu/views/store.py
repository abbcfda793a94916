"""Draws what a store holds, for a terminal."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from bongsu.store.moving.inventory import Stock, TierStock
from bongsu.views.columns import fitted
from bongsu.views.printable import printable
from bongsu.views.units import UNKNOWN, bytes_text, count_text, seconds_text

_MOST_GAPS = 20


def draw_stock(stock: Stock, gap_seconds: float, console: Console) -> None:
    """Print it; ``gap_seconds`` is how long a time without samples had to be to be told."""
    console.print(Text(printable(stock.path), style="bold"), soft_wrap=True)
    parts = [f"{bytes_text(stock.file_bytes)}", f"log {bytes_text(stock.wal_bytes)}"]
    if stock.free_bytes:
        parts.append(f"{bytes_text(stock.free_bytes)} of the file free")
    parts.append(f"version {stock.version}")
    console.print(", ".join(parts))
    console.print(_writer(stock))
    console.print(f"{count_text(stock.metrics)} metrics, {count_text(stock.series)} series")
    console.print()
    titles = ["tier", "oldest (UTC)", "newest (UTC)", "spans", "samples", "bytes", "a sample"]
    rows = [_tier("raw", stock.raw), _tier("1m", stock.minutes)]
    console.print(fitted(titles, rows, console, left=(0, 1, 2), give=[(5, 0), (3, 0)]), crop=False)
    _gaps("raw", stock.raw, gap_seconds, console)
    _gaps("1m", stock.minutes, gap_seconds, console)
    if stock.largest:
        console.print()
        rows = [
            [Text(printable(one.name)), Text(one.kind), Text(count_text(one.series)), Text(bytes_text(one.bytes))]
            for one in stock.largest
        ]
        console.print(
            fitted(["largest metrics", "kind", "series", "bytes"], rows, console, left=(0, 1), give=[(0, 12), (1, 0)]),
            crop=False,
        )


def utc_text(time_ms: int | None) -> str:
    """A time to the second, in UTC."""
    if time_ms is None:
        return UNKNOWN
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time_ms / 1000))
    except (OverflowError, ValueError, OSError):
        return str(time_ms)


def _writer(stock: Stock) -> str:
    if stock.writer is None:
        return "nobody writes it now"
    return f"process {stock.writer or '?'} writes it now"


def _tier(name: str, tier: TierStock) -> list[Text]:
    there = tier.oldest is not None and tier.newest is not None
    spans = (tier.newest - tier.oldest) / 1000 if tier.newest is not None and tier.oldest is not None else None
    each = f"{tier.bytes / tier.samples:.2f} B" if tier.samples else UNKNOWN
    words = [
        name, utc_text(tier.oldest), utc_text(tier.newest), seconds_text(spans) if there else UNKNOWN,
        count_text(tier.samples), bytes_text(tier.bytes), each,
    ]  # fmt: skip
    return [Text(word) for word in words]


def _gaps(name: str, tier: TierStock, gap_seconds: float, console: Console) -> None:
    if not tier.gaps:
        return
    console.print()
    times = "1 time" if len(tier.gaps) == 1 else f"{len(tier.gaps)} times"
    console.print(f"{name}: {times} without any sample longer than {seconds_text(gap_seconds)}")
    for gap in tier.gaps[-_MOST_GAPS:]:
        long = seconds_text((gap.before - gap.after) / 1000)
        console.print(f"  {utc_text(gap.after)} to {utc_text(gap.before)}  {long}")
    if len(tier.gaps) > _MOST_GAPS:
        console.print(f"  and {len(tier.gaps) - _MOST_GAPS} before these; --json tells all")
