"""Says in words what a run cost: each fact with where it comes from, and "not known" where it is not known."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from bongsu.model.message import Message
from bongsu.model.run import CpuUse, Metadata, RunReport
from bongsu.views.printable import printable
from bongsu.views.run_rows import called, program
from bongsu.views.units import bytes_text, count_text, seconds_text

NOT_KNOWN = "not known"
WORD = re.compile(r"[\w@%+=:,./-]+", re.ASCII)  # a shell reads it as one word, whatever it is set to
_MOST_MISSING = 3
_MOST_SURVIVORS, _LONGEST_SURVIVOR = 10, 100
_SOURCES = {  # how exact each way is; the ways are those of `model.run.CpuUse.source`
    "cgroup": "exact, from the run's own cgroup",
    "perf": "exact, from the kernel's inherited task clock (perf)",
    "wait4": "of all processes that ended and were waited for",
    "unknown": "how it was measured is not known",
    "sampled": "a lower bound: read from time to time, what lived shorter is missing",
}


def short(report: RunReport) -> str:
    """The few lines that `bongsu run` ends with, without colour; nothing but text is loaded for it."""
    meta, use = report.metadata, report.summary
    lines = [f"bongsu: {name(meta)} {ended(report)}"]
    residual = [] if (use.cpu.residual_seconds or 0.0) < 0 else _residual(report)
    lines.append(f"  CPU        {'; '.join((_busy(use.cpu), *residual))}")
    lines.append(f"  memory     {_peaks(report)}")
    if use.io.read_bytes is not None or use.io.write_bytes is not None:
        lines.append(f"  storage    {_transfers(report)}")
    if use.children.started != 0:
        lines.append(f"  processes  {_children(report)}{_lived_on(report)}")
    missing = [event.text for event in report.events if event.what == "missing"]  # a name that was misspelt, most often
    lines += [f"  functions  {printable(text)}" for text in missing[:_MOST_MISSING]]
    if len(missing) > _MOST_MISSING:
        lines.append(f"             and {count_text(len(missing) - _MOST_MISSING)} more")
    lines.append(f"  report     bongsu report show {printable(meta.id)}")
    return "\n".join(lines)


def command(meta: Metadata) -> str:
    """The command as one could type it, on one line, safe to print."""
    return printable(" ".join(map(_quoted, meta.command))) if meta.command else name(meta)


def name(meta: Metadata) -> str:
    """What the run is called."""
    called = meta.name or (meta.command[0].rpartition("/")[2] if meta.command else "")
    return printable(called or (f"process {meta.pid}" if meta.pid else "a program without a name"))


def state(report: RunReport) -> str:
    """How it ended, or that it has not, in few words."""
    meta = report.metadata
    if meta.state == "running":
        return "running"
    if meta.state == "lost":
        return "lost: its recorder ended before it did"
    if meta.signal:
        code = "" if meta.exit_code is None else f", exit code {meta.exit_code}"
        return str(Message("ended by {signal}{code}", signal=printable(meta.signal), code=code))
    if left_alive(report):
        return "only its recording ended"
    if meta.exit_code is None:
        return "ended, how is not known" if meta.state == "ended" else "how it ended is not known"
    return str(Message("exit code {code}", code=meta.exit_code))


def left_alive(report: RunReport) -> bool:
    """Whether the recorder let go of a process that went on, as after Ctrl-C or the end of a `recording`."""
    first = next((row for row in report.processes if row.index == 0), None)
    return (
        report.metadata.attached
        and report.metadata.state == "ended"
        and first is not None
        and first.end_seconds is None
    )


def ended(report: RunReport) -> str:
    """How it ended and after how long, as the rest of a sentence."""
    meta, wall = report.metadata, report.summary.wall_seconds
    took = NOT_KNOWN if wall is None else seconds_text(wall)
    if meta.state == "running":
        return str(Message("runs; recorded so far: {took}", took=took))
    if meta.state == "lost":
        return str(Message("was lost: its recorder ended first; recorded until then: {took}", took=took))
    if wall is None:
        return str(Message("ran for a time that is not known; {state}", state=state(report)))
    if left_alive(report):
        return str(Message("recorded for {took}; it went on", took=took))
    return str(Message("took {took}; {state}", took=took, state=state(report)))


def heading(report: RunReport) -> list[str]:
    """When, where and whose it was; a line for each that is known."""
    meta = report.metadata
    at = " on ".join(printable(part) for part in (meta.user, meta.host) if part)
    lines = [f"{printable(meta.id)}, {ended(report)}", f"started {started(meta)}{f' by {at}' if at else ''}"]
    if meta.directory:
        lines.append(f"in {printable(meta.directory)}{_git(meta)}")
    if meta.attached:
        lived = meta.attached_after_seconds
        lines.append(
            str(Message("attached when it had lived {lived}; what it did before is not in here", lived=seconds_text(lived)))
            if lived is not None else "attached while it ran; what it did before is not in here"
        )  # fmt: skip
    if meta.tags:
        lines.append(f"tags: {', '.join(map(printable, meta.tags))}")
    if meta.message:
        lines.append(f"message: {printable(meta.message)}")
    if meta.parent:
        lines.append(f"nested in run {printable(meta.parent)}")
    return lines


def started(meta: Metadata) -> str:
    """When it started, by the clock and in the zone of the machine that it ran on."""
    sign = -1 if meta.zone.startswith("-") else 1
    digits = meta.zone.lstrip("+-").replace(":", "")
    away = sign * (int(digits[:2]) * 3600 + int(digits[2:]) * 60) if re.fullmatch("[0-9]{4}", digits) else 0
    try:
        there = time.gmtime(meta.started + away)
    except (OverflowError, ValueError, OSError):
        return printable(meta.started)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', there)} {meta.zone if digits and away else 'UTC'}"


def facts(report: RunReport) -> list[tuple[str, list[str]]]:
    """What it cost: a title and its lines each."""
    use, io = report.summary, report.summary.io
    calls = (("read", io.read_calls, io.read_chars), ("write", io.write_calls, io.write_chars))
    storage = [_transfers(report)]
    storage += [
        f"{count_text(times)} {'call' if times == 1 else 'calls'} of {what}" + ("" if size is None else f", {bytes_text(size)}")
        for what, times, size in calls if times is not None
    ]  # fmt: skip
    found = [
        ("CPU", _cpu(report)),
        ("Memory", _memory(report)),
        ("Storage", storage),
        ("Children", [_children(report)]),
    ]
    threads = [
        f"{words} {count_text(value)}"
        for words, value in (
            ("at most", use.max_threads), ("voluntary switches", use.voluntary_switches),
            ("involuntary switches", use.involuntary_switches),
        )
        if value is not None
    ]  # fmt: skip
    if threads:
        found.append(("Threads", [", ".join(threads)]))
    if use.max_open_files is not None:
        found.append(("Files", [f"at most {count_text(use.max_open_files)} open at once"]))
    if use.survivors:
        left = [
            _survivor(one.pid, _beginning(one.command, _LONGEST_SURVIVOR), one.cpu_seconds) for one in use.survivors
        ]
        more = [f"and {len(left) - _MOST_SURVIVORS} more"] if len(left) > _MOST_SURVIVORS else []
        found.append(("Lived on", left[:_MOST_SURVIVORS] + more))
    found.append(("Recording", _monitor(report)))
    return found


def clock_of(seconds: float) -> str:
    """A time since the start of a run: tenths of a second while it is short, else as a clock counts."""
    if abs(seconds) < 99.95:
        return f"{seconds:.1f} s"
    sign, whole = "-" if seconds < 0 else "", round(abs(seconds))
    days, rest = divmod(whole, 86400)
    clock = (
        f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}" if whole >= 3600 else f"{rest // 60}:{rest % 60:02d}"
    )
    return f"{sign}{f'{days} d ' if days else ''}{clock}"


def _quoted(word: str) -> str:
    if WORD.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def _git(meta: Metadata) -> str:
    if not meta.git_revision:
        return ""
    changed = {True: ", with changes that are not committed", False: "", None: ""}[meta.git_dirty]
    return f" (git {printable(meta.git_revision)[:12]}{changed})"


def _percent(value: float | None) -> str:
    if value is None:
        return NOT_KNOWN
    return f"{value:.0f} %" if value >= 99.95 else f"{value:.1f} %" if value >= 0.05 or value == 0 else "< 0.1 %"


def _exact(seconds: float) -> str:
    """CPU time that one may want to compare: in seconds, also where it is long."""
    return f"{seconds:,.1f} s" if abs(seconds) >= 59.995 else seconds_text(seconds)


def _busy(cpu: CpuUse) -> str:
    """``40.2 s, 327 % of one CPU, at most 398 % (perf)``."""
    if cpu.total_seconds is None:
        return NOT_KNOWN
    parts = [_exact(cpu.total_seconds)]
    if cpu.avg_percent is not None:
        parts.append(f"{_percent(cpu.avg_percent)} of one CPU")
    if cpu.max_percent is not None:
        parts.append(f"at most {_percent(cpu.max_percent)}")
    return ", ".join(parts) + (f" (by {printable(cpu.source)})" if cpu.source else "")


def _residual(report: RunReport) -> list[str]:
    """What nobody is charged with, in words; nothing where there is none."""
    cpu = report.summary.cpu
    if cpu.residual_seconds is None or cpu.total_seconds is None or round(cpu.residual_seconds, 3) == 0:
        return []
    if cpu.residual_seconds < 0:  # clocks of two kinds: what was read of each process, and what counts the tree
        return [str(Message("processes by name add up to {more} more than that", more=_exact(-cpu.residual_seconds)))]
    share = f" ({_percent(100 * cpu.residual_seconds / cpu.total_seconds)})" if cpu.total_seconds else ""
    what = "short-lived, unseen by name"
    if (
        report.metadata.attached
    ):  # nobody keeps it for us: its parent may have let it go before it could be read once more
        read = any(point.processes for point in report.samples)
        what = f"{what}, or after the last reading of a process" if read else "of what ended before it could be read"
    return [str(Message("{spent}{share} {what}", spent=seconds_text(cpu.residual_seconds), share=share, what=what))]


def _cpu(report: RunReport) -> list[str]:
    cpu = report.summary.cpu
    if cpu.total_seconds is None:
        return [NOT_KNOWN]
    source = _SOURCES.get(
        cpu.source, f"by {printable(cpu.source)}" if cpu.source else "how it was measured is not known"
    )
    long = f" ({seconds_text(cpu.total_seconds)})" if cpu.total_seconds >= 59.995 else ""
    lines = [f"{_exact(cpu.total_seconds)}{long} in all; {source}"]
    if cpu.residual_seconds is None:
        lines.append("how much of it is charged to processes by name is not known")
    else:
        lines += [f"residual: {words}" for words in _residual(report)] or ["all of it is charged to processes by name"]
    lines += _unseen(report)
    most = "" if cpu.max_percent is None else f", most {_percent(cpu.max_percent)}"
    busy = [f"average {_percent(cpu.avg_percent)} of one CPU{most}"]
    modes = (("user", cpu.user_seconds), ("system", cpu.system_seconds))
    busy += [f"{mode} {_exact(spent)}" for mode, spent in modes if spent is not None]
    lines.append("; ".join((busy[0], ", ".join(busy[1:]))) if busy[1:] else busy[0])
    others = [f"{printable(way)} {_exact(spent)}" for way, spent in cpu.sources.items() if way != cpu.source]
    return [*lines, f"other ways say: {', '.join(others)}"] if others else lines


def _unseen(report: RunReport) -> list[str]:
    """Whose children nobody saw: the programs that waited for them."""
    spent: dict[str, float] = {}
    for row in report.processes:
        if row.unseen_cpu_seconds:
            name = printable(program(row.executable) if row.executable else called(row))
            spent[name] = spent.get(name, 0.0) + row.unseen_cpu_seconds
    most = sorted(spent.items(), key=lambda item: (-item[1], item[0]))[:3]
    named = ", ".join(f"{name} {_exact(seconds)}" for name, seconds in most if seconds >= 0.001)
    return [str(Message("waited for by: {programs}", programs=named))] if named else []


def _peaks(report: RunReport) -> str:
    use = report.summary.memory
    known = (("PSS", use.peak_pss_bytes), ("RSS", use.peak_rss_bytes), ("USS", use.peak_uss_bytes))
    parts = [f"{what} {bytes_text(size)}" for what, size in known if size is not None]
    if use.cgroup_peak_bytes is not None:
        parts.append(f"cgroup {bytes_text(use.cgroup_peak_bytes)}")
    if not parts and use.largest_process_rss_bytes is not None:  # it ended before the first sample
        return f"largest process {bytes_text(use.largest_process_rss_bytes)} RSS"
    return f"peak {', '.join(parts)}" if parts else NOT_KNOWN


def _memory(report: RunReport) -> list[str]:
    use = report.summary.memory
    lines = [
        (use.peak_pss_bytes, use.avg_pss_bytes, "PSS", "shared pages divided"),
        (use.peak_rss_bytes, use.avg_rss_bytes, "RSS", "shared pages in each"),
        (use.peak_uss_bytes, None, "USS", "no shared pages"),
        (use.cgroup_peak_bytes, None, "cgroup", "with its page cache"),
        (use.cgroup_peak_anon_bytes, None, "cgroup", "anonymous pages"),
        (use.largest_process_rss_bytes, None, "RSS", "of the largest process"),
    ]
    told = [
        f"peak {what:<6} {bytes_text(peak):>10}  {words}{f'; average {bytes_text(average)}' if average is not None else ''}"
        for peak, average, what, words in lines
        if peak is not None
    ]
    return told or [NOT_KNOWN]


def _transfers(report: RunReport) -> str:
    io = report.summary.io
    if io.read_bytes is None and io.write_bytes is None:
        return NOT_KNOWN
    read, written = (NOT_KNOWN if n is None else bytes_text(n) for n in (io.read_bytes, io.write_bytes))
    return f"read {read}, written {written}"


def _children(report: RunReport) -> str:
    use = report.summary.children
    parts = []
    if use.started is not None:
        all_told = use.counted_by == "events"  # else who was not seen is not counted
        least = "at least " if not all_told and _residual(report) else ""
        parts.append(f"{least}{count_text(use.started)} started" if use.started else "none")
    if use.started and use.max_count is not None:
        parts.append(f"at most {count_text(use.max_count)} at once")
    if use.started and use.exited is not None and use.exited != use.started:
        parts.append(f"{count_text(use.exited)} ended")
    return ", ".join(parts) or NOT_KNOWN


def _beginning(command: str, most: int) -> str:
    """So many characters of a command at most; one that is longer says so."""
    return command if len(command) <= most else f"{command[: most - 3]}..."


def _survivor(pid: int, said: str, spent: float | None) -> str:
    cost = NOT_KNOWN if spent is None else seconds_text(spent)
    return f"{pid} {printable(said)}; its CPU time by then: {cost}"


def _lived_on(report: RunReport, most: int = 3) -> str:
    """Who was left behind, for the short report."""
    left = report.summary.survivors
    if not left:
        return ""
    named = [
        f"{one.pid} {printable(_beginning(one.command, 60))} (CPU {NOT_KNOWN if one.cpu_seconds is None else seconds_text(one.cpu_seconds)})"
        for one in left[:most]
    ]
    return f"; lived on: {', '.join(named)}{f' and {count_text(len(left) - most)} more' if len(left) > most else ''}"


def _monitor(report: RunReport) -> list[str]:
    own, wall = report.monitor, report.summary.wall_seconds
    parts = ["CPU not known" if own.cpu_seconds is None else f"{seconds_text(own.cpu_seconds)} of CPU"]
    if own.cpu_seconds is not None and wall:
        parts[0] += f" ({_percent(100 * own.cpu_seconds / wall)} of one)"
    if own.rss_bytes is not None:
        parts.append(f"{bytes_text(own.rss_bytes)} of memory")
    samples = "1 sample" if own.samples == 1 else f"{count_text(own.samples)} samples"
    parts.append(f"{samples}, {count_text(own.missed_samples)} missed")
    if own.late_seconds:
        parts.append(f"at most {seconds_text(own.late_seconds)} late")
    return ["; ".join(parts), *_cut(printable(error) for error in own.errors)]


def _cut(lines: Iterable[str], most: int = 5) -> list[str]:
    listed = list(lines)
    return [*listed[:most], *([f"and {len(listed) - most} more of that kind"] if len(listed) > most else [])]
