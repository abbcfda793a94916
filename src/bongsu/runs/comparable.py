"""Whether runs may be compared at all, and what made them differ besides what was meant to."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from bongsu.model.comparison import Metric
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.run import Metadata
from bongsu.records.run_folder import LOST, RUNNING
from bongsu.runs.statistics import drift, outliers

_DRIFTING = (
    0.01  # p from which a rise or fall over the runs is told; stricter than for differences: nobody asked for it
)
_NEAR = 0.05  # of the median, that nobody need look at
_LEAST_RUNS = 6  # to tell a drift


def command(run: Metadata) -> str:
    """What ran, as a shell would read it."""
    return shlex.join(run.command) or run.name or "?"


def check(groups: Mapping[str, Sequence[Metadata]]) -> None:
    """Raises BadInput where a comparison would mean nothing: one run alone, a run twice, or one that is not over."""
    if sum(map(len, groups.values())) < 2:
        raise BadInput(Message("one run alone cannot be compared: give a second group, as `latest~1 latest`"))
    seen: dict[str, str] = {}
    for label, runs in groups.items():
        if not runs:
            raise BadInput(Message("{label}: there are no such runs", label=label))
        for run in runs:
            if run.id in seen:
                where = f"{seen[run.id]} and {label}" if seen[run.id] != label else f"{label} twice"
                raise BadInput(
                    Message("the run {id} is in {where}: one run counts once, in one group", id=run.id, where=where)
                )
            seen[run.id] = label
            if run.state == RUNNING:
                raise BadInput(Message("the run {id} has not ended; compare it when it has", id=run.id))
            if run.attached:
                raise BadInput(
                    Message(
                        "the run {id} was attached to a process that ran already: what came before is not known, "
                        "so it cannot be compared",
                        id=run.id,
                    )
                )


def warnings(groups: Mapping[str, Sequence[Metadata]]) -> Iterator[Message]:
    """What differs between the runs, or went wrong in them."""
    every = [run for runs in groups.values() for run in runs]
    for title, of in _CONDITIONS:
        found = dict.fromkeys(str(of(run)) for run in every if of(run) not in {"", None})
        if len(found) > 1:
            yield Message(
                "the runs differ in {title}: {all}",
                title=title,
                all=", ".join(list(found)[:4]) + ", …" * (len(found) > 4),
            )
    for label, runs in groups.items():
        different = dict.fromkeys(command(run) for run in runs)
        if len(different) > 1:
            yield Message(
                "the runs of {label} are of {n} different commands: {all}",
                label=label, n=len(different), all="; ".join(list(different)[:3]) + "; …" * (len(different) > 3),
            )  # fmt: skip
        failed = [run for run in runs if run.exit_code]
        if failed:
            codes = ", ".join(dict.fromkeys(run.signal or f"exit code {run.exit_code}" for run in failed))
            yield Message(
                "{n} of {all} runs of {label} failed: {codes}",
                n=len(failed), all=len(runs), label=label, codes=codes,
            )  # fmt: skip
        lost = sum(run.state == LOST for run in runs)
        if lost:
            yield Message(
                "the end of {n} of {all} runs of {label} is not known: they are left out",
                n=lost, all=len(runs), label=label,
            )  # fmt: skip
    if len(groups) > 1 and all(len(runs) > 1 for runs in groups.values()):
        spans = sorted((min(r.started for r in runs), max(r.started for r in runs)) for runs in groups.values())
        if all(one[1] < other[0] for one, other in itertools.pairwise(spans)):
            yield Message(
                "the groups ran one after the other, so a machine that changed meanwhile looks like a difference; "
                "`bongsu run --repeat N --vs` runs them in turn"
            )


def cpu_warnings(groups: Mapping[str, Sequence[str]]) -> Iterator[Message]:
    """What differs in how CPU time was counted, by run of each group."""
    found = dict.fromkeys(source for sources in groups.values() for source in sources if source)
    if len(found) > 1:
        yield Message(
            "CPU time was counted in different ways ({all}): its rows compare what is not alike", all=", ".join(found)
        )
    elif "sampled" in found:
        yield Message("CPU time was sampled: short-lived processes are missing from it")


def scatter(metric: Metric, runs: Sequence[tuple[Metadata, float | None, str]]) -> Iterator[Message]:
    """Runs that lie far from their group, and a rise or fall over all runs in the order they were started.

    Args:
        metric: whose values these are.
        runs: each run with its value and the label of its group.
    """
    groups: dict[str, list[tuple[Metadata, float]]] = {}
    for run, value, label in runs:
        if value is not None:
            groups.setdefault(label, []).append((run, value))
    for label, members in groups.items():
        middle = median(value for _, value in members)
        for at in outliers([value for _, value in members]):
            run, value = members[at]
            if abs(value - middle) <= _NEAR * middle:  # among runs that are nearly the same a thousandth is an outlier
                continue
            yield Message(
                "{title} of the run {id} of {label} lies far from its others: {factor:.3g} times their median",
                title=metric.title, id=run.id, label=label, factor=value / middle if middle else float("inf"),
            )  # fmt: skip
    middles = {label: median(value for _, value in members) for label, members in groups.items()}
    relative = [
        (run.started, value / middles[label])
        for label, members in groups.items()
        for run, value in members
        if middles[label]
    ]
    if len(relative) >= _LEAST_RUNS:
        tau, p = drift([value for _, value in sorted(relative)])
        if p <= _DRIFTING:
            yield Message(
                "{title} {way} from the first run to the last: the machine changed meanwhile (p {p:.2g})",
                title=metric.title, way="rose" if tau > 0 else "fell", p=p,
            )  # fmt: skip


_CONDITIONS: tuple[tuple[str, Callable[[Metadata], object]], ...] = (
    ("the machine", lambda run: run.host),
    ("the processor", lambda run: run.machine),
    ("the number of CPUs they might use", lambda run: run.cpus),
    ("the kernel", lambda run: run.kernel),
    ("the user", lambda run: run.user),
    ("the limits of their owner", lambda run: ", ".join(f"{k} {v:g}" for k, v in sorted(run.limits.items()))),
    ("the interval of samples, in seconds", lambda run: run.interval_seconds),
    ("the version of bongsu", lambda run: run.version),
)
