"""The table of owners and the page of each in a browser: limits, words, search, links, history, ends, hostile names."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no py.typed
from playwright.sync_api import Browser, Locator, Page, expect

from bongsu.collectors import owner as collector
from bongsu.model.batch import Batch, Table
from bongsu.model.metric import MetricSpec
from bongsu.model.owner import By, Evidence, Owner, OwnerKind
from bongsu.model.process import ProcessRow
from bongsu.model.usage import DeviceUse, From, OwnerRow, Usage, Waits
from bongsu.sinks import query_api
from bongsu.store.reading.reader import Reader
from bongsu.store.writing.writer import Writer
from live_page import HOSTILE, page, process
from live_page import Page as Server
from readings import Values, part
from visiting import CHROMIUM, Visit

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")

SHOWN = "<img src=x onerror=alert(1)>\\x1b[31m\\n\"'&\\u202eevil"
NOT_KNOWN = "\N{EN DASH}"
GIB = 2**30
JOB = Owner(
    OwnerKind.SLURM, "42", "train", step="0", user="alice",
    evidence=(Evidence(By.CGROUP, "/slurm/uid_1000/job_42/step_0"),),
)  # fmt: skip
POD = Owner(OwnerKind.POD, "0f-1", "trainer-0", "ml", container="main", user="carol")
WEB = Owner(OwnerKind.CONTAINER, "a" * 64, "web", runtime="docker", user="root")
UNIT = Owner(OwnerKind.UNIT, "ollama.service", user="ollama")
USER = Owner(OwnerKind.USER, "1000", "alice", user="alice")
UNKNOWN = Owner(OwnerKind.UNKNOWN, "", evidence=(Evidence(By.NOTHING, "its user may not be read"),))
EVIL = Owner(OwnerKind.UNIT, HOSTILE, user=HOSTILE, evidence=(Evidence(By.CGROUP, HOSTILE),))
GONE = Owner(OwnerKind.SLURM, "41", "prepare", user="bob")
AHEAD = 600  # seconds of history yet to come, so that it has not ended when a slow machine asks
BASES = (("slurm", "42"), ("unit", HOSTILE), ("slurm", "7"))  # in the history; the last ends there
NAMES = {
    "job 42 train (alice)", "pod ml/trainer-0", "container web (docker)", "unit ollama.service", "user alice", "unknown",
    f"unit {SHOWN}",
}  # fmt: skip


def usage(tick: int, cores: float, **other: object) -> Usage:
    """Of an owner that uses so many cores."""
    values: dict[str, object] = {
        "processes": 3, "since": time.time() - 4000, "cpu_from": From.CGROUP, "memory_from": From.CGROUP,
        "io_from": From.CGROUP, "cpu_seconds": time.monotonic() * cores, "memory_bytes": GIB, "oom_kills": 0,
        "io": (DeviceUse("sda", 4096 * tick, 0),), "tasks": 12,
    }  # fmt: skip
    return Usage(**{**values, **other})  # type: ignore[arg-type]  # named as its fields are


def looked_at(rows: list[OwnerRow], processes: tuple[ProcessRow, ...]) -> Batch:
    """One look at a machine."""
    now, at = time.time(), time.monotonic()
    parts = (
        part({}, 0, collector="process", tables=(Table("processes", processes),)),
        part({}, 0, collector="owner", tables=(Table("owners", tuple(rows)),)),
    )
    return Batch(now, at, tuple(msgspec.structs.replace(one, time=now, monotonic=at) for one in parts))


def machine(tick: int) -> Batch:
    """One owner of every kind: one at its limits, one near it, one of which a process was killed, one that has ended."""
    ticks = int(time.monotonic() * 10)
    rows = [
        OwnerRow(
            JOB,
            usage(
                tick, 7.6, cpu_limit_cores=8.0, memory_bytes=31 * GIB, memory_limit_bytes=32 * GIB, tasks=64,
                tasks_limit=1000, cpu_periods=ticks, cpu_throttled_periods=ticks // 2,
            ),
        ),
        OwnerRow(
            POD,
            usage(
                tick, 2.0, cpu_limit_cores=4.0, memory_bytes=int(1.9 * GIB), memory_limit_bytes=4 * GIB, tasks=95,
                tasks_limit=100, cpu_waits=Waits(time.monotonic() * 0.25), io_waits=Waits(0.0),
            ),
        ),
        OwnerRow(WEB, usage(tick, 0.3, memory_limit_bytes=2 * GIB, oom_kills=1 if tick > 1 else 0)),
        OwnerRow(UNIT, usage(tick, 0.9)),
        OwnerRow(USER, usage(tick, 0.2, cpu_from=From.PROCESSES, memory_from=From.PROCESSES, io_from=From.PROCESSES)),
        OwnerRow(UNKNOWN, usage(tick, 0.1, cpu_from=From.UNKNOWN, cpu_seconds=None)),
        OwnerRow(EVIL, usage(tick, 0.0)),
    ]  # fmt: skip
    if tick == 2:
        rows.append(OwnerRow(GONE, usage(tick, 0.0, cpu_seconds=7200.0, memory_peak_bytes=3 * GIB), ended=True))
    found = (
        *(process(200 + i, "train.py", owner=JOB, cpu_seconds=tick * 0.1) for i in range(3)),
        process(300, "server", user="carol", owner=POD),
        process(400, "nginx", user="root", owner=WEB),
        process(500, "python3", owner=USER),
    )
    return looked_at(rows, found)


@pytest.fixture
def owned(kept: Writer) -> Iterator[Server]:
    """A machine with owners, and the history of some."""
    with page(make=machine, api=functools.partial(query_api.answer, source=Reader(kept.path))) as running:
        running.tick(4)
        clock = running.tick_on(0.5)
        yield running
        running.hold()
        clock.join()


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writer]:
    """A history of a job, of one called like markup, which go on, and of one that ended a minute ago."""
    writer = Writer(
        str(tmp_path_factory.mktemp("kept") / "history.db"),
        labels={"job": "bongsu", "instance": "here"},
        threaded=False,
    )
    now = time.time()
    for second in range(-120, AHEAD, 2):
        values: dict[tuple[MetricSpec, tuple[str, ...]], float] = {}
        for base in BASES if second < -60 else BASES[:2]:
            values |= {
                (collector.CPU_SECONDS, (*base, "user")): second * 7.0 + 9000,
                (collector.CPU_SECONDS, (*base, "system")): second * 0.5 + 9000,
                (collector.CPU_LIMIT, base): 8.0, (collector.PERIODS, base): second * 10.0 + 9000,
                (collector.THROTTLED_PERIODS, base): second * 5.0 + 9000, (collector.MEMORY, base): 31 * GIB,
                (collector.PARTS, (*base, "anon")): 20 * GIB, (collector.PARTS, (*base, "file")): 11 * GIB,
                (collector.MEMORY_LIMIT, base): 32 * GIB, (collector.READ_BYTES, (*base, "sda")): second * 1024.0 + 1e6,
                (collector.WAITING, (*base, "cpu")): second * 0.25 + 9000, (collector.PROCESSES, base): 3,
                (collector.RECEIVED, (*base, "eth0")): second * 2048.0 + 1e6,
            }  # fmt: skip
            info = {"kind": base[0], "id": base[1], "name": "night", "user": "bob"}
            values[(collector.INFO, tuple(info.get(label, "") for label in collector.INFO.labels))] = 1.0
        write(writer, now + second, second, values)
    writer.flush()
    yield writer
    writer.close()


def write(writer: Writer, now: float, second: float, values: Values) -> None:
    """One look into the history."""
    writer.write(Batch(now, second + 1000.0, (part(values, second, collector="owner"),)))


def row(shown: Page, name: str, table: str = "owners") -> Locator:
    """The line of one of them."""
    lines = shown.locator(f"#{table}-table tbody tr")
    return lines.filter(has=shown.get_by_role("button", name=name, exact=True))


def grave(visit: Visit) -> list[str]:
    """What axe-core finds that is serious or critical."""
    found = Axe().run(visit.page).response["violations"]
    return [
        f"{each['id']}: {node['html']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def test_each_kind_of_owner_is_a_row_against_its_limits(browser: Browser, owned: Server) -> None:
    """Most CPU first; a number with its limit and a bar; what is near, stopped, killed and ended, in words."""
    with Visit(browser, owned, width=1900, at="#owners") as visit:
        visit.live()
        expect(visit.page.locator("#owners-count")).to_have_text("8")
        expect(visit.page.locator("#owners-table tbody th")).to_have_count(8)
        names = visit.page.locator("#owners-table tbody th").all_inner_texts()
        assert set(names) == {*NAMES, "job 41 prepare (bob)"}
        expect(visit.page.locator("#owners-table tbody th").first).to_have_text("job 42 train (alice)")
        job = row(visit.page, "job 42 train (alice)")
        expect(job.locator(".memory")).to_have_text("31 of 32 GiB")
        expect(job.locator(".cpu")).to_contain_text("of 8")
        expect(job.locator(".tasks")).to_have_text("64 of 1 k")
        expect(job.locator(".throttled")).to_contain_text("%")
        expect(job.locator(".state")).to_contain_text("96.9 % of its limit of memory; stopped by its CPU limit in ")
        assert job.locator(".memory").evaluate("cell => cell.style.getPropertyValue('--share')") == "96.875%"
        expect(job.locator(".known")).to_have_text("cgroup")
        pod = row(visit.page, "pod ml/trainer-0")
        expect(pod.locator(".memory")).to_have_text("1.9 of 4 GiB")
        expect(pod.locator(".state")).to_have_text("95.0 % of its limit of processes and threads")
        expect(pod.locator(".waits")).to_contain_text("CPU ")
        web = row(visit.page, "container web (docker)")
        expect(web.locator(".state")).to_contain_text("1 killed for lack of memory, last at ")
        expect(visit.page.locator("#owners-problems .bad")).to_contain_text("container web (docker): 1 killed")
        expect(visit.page.locator("#owners-problems .warn").first).to_be_hidden()
        expect(visit.page.locator('nav a[href="#owners"]')).to_have_attribute("data-wrong", "1")
        expect(row(visit.page, "user alice").locator(".known")).to_have_text("sum of processes")
        expect(row(visit.page, "unknown").locator(".cpu")).to_have_text(NOT_KNOWN)
        gone = row(visit.page, "job 41 prepare (bob)")
        expect(gone.locator(".state")).to_contain_text("ended at ")
        expect(gone.locator(".memory")).to_have_text(NOT_KNOWN)
        visit.clean()


def test_owners_are_found_and_sorted_by_the_address(browser: Browser, owned: Server) -> None:
    """Job id, pod, namespace, container, unit and user; the order; and whose: all restored by a link."""
    with Visit(browser, owned, at="#owners") as visit:
        visit.live()
        names = visit.page.locator("#owners-table tbody th")
        for text, found in (
            ("42", "job 42 train (alice)"), ("ML", "pod ml/trainer-0"), ("docker", "container web (docker)"),
            ("ollama", "unit ollama.service"), ("bob", "job 41 prepare (bob)"), ("onerror", f"unit {SHOWN}"),
        ):  # fmt: skip
            visit.page.locator("#owners-search").fill(text)
            expect(names).to_have_text([found])
        visit.page.locator("#owners-search").fill(
            "ended"
        )  # a state, with a clock time in it that may hold a job's number
        expect(names).to_have_count(0)
        visit.page.locator("#owners-search").fill("job")
        visit.page.locator('#owners-table [data-column="name"] button').click()
        visit.page.wait_for_url("**owner-search=job*owner-sort=name*")
        visit.page.reload()
        visit.live()
        expect(names).to_have_text(["job 41 prepare (bob)", "job 42 train (alice)"])
        visit.clean()
    with Visit(browser, owned, at="&user=alice&owner-sort=<b>") as visit:
        visit.live()
        expect(visit.page.locator("#notice")).to_contain_text("owner-sort=<b>, which is no column of the owners")
        expect(visit.page.locator("#owners-table tbody th")).to_have_text(["job 42 train (alice)", "user alice"])
        expect(visit.page.locator("#processes-count")).to_have_text("4 of 6")
        visit.page.locator("#processes select.whose").select_option("carol")
        expect(visit.page.locator("#owners-table tbody th")).to_have_text(["pod ml/trainer-0"])
        expect(visit.page.locator("#processes-table tbody th")).to_have_text(["server"])
        visit.page.wait_for_url("**user=carol*")
        visit.clean()


def test_who_runs_it_stands_first_among_users(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """One choice leaves what is one's own, in both tables; root is offered everybody and no self."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # alice
    with page(make=machine) as running:
        running.tick(3)
        with Visit(browser, running, at="#owners") as visit:
            choice = visit.page.locator("#owners select.whose")
            expect(choice.locator("option").nth(1)).to_have_text("mine (alice)")
            expect(choice.locator("option", has_text="alice")).to_have_count(1)
            choice.select_option(label="mine (alice)")
            expect(visit.page.locator("#owners-table tbody th")).to_have_text(["job 42 train (alice)", "user alice"])
            expect(visit.page.locator("#processes select.whose")).to_have_value("alice")
            expect(visit.page.locator("#processes-count")).to_have_text("4 of 6")
            visit.clean()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with page(make=machine) as running:
        running.tick(3)
        with Visit(browser, running, at="#owners") as visit:
            expect(visit.page.locator("#owners-count")).to_have_text("8")
            assert "mine" not in visit.page.locator("#owners select.whose").inner_text()
            visit.clean()


def test_processes_say_whose_they_are(browser: Browser, owned: Server) -> None:
    """A column, groups with their sums, and the search by what the owner is called or is in."""
    with Visit(browser, owned, at="&group=owner#processes") as visit:
        visit.live()
        group = row(visit.page, "job 42 train (alice) · 3 processes", "processes")
        expect(group.locator(".threads")).to_have_text("3")
        group.get_by_role("button").click()
        expect(visit.page.locator("#processes-table tr.member .owner")).to_have_text(["job 42 train (alice)"] * 3)
        for text, found in (
            ("0f-1", "pod ml/trainer-0 · 1 process"),
            ("web docker", "container web (docker) · 1 process"),
        ):
            visit.page.locator("#processes-search").fill(text)
            expect(visit.page.locator("#processes-table tbody th")).to_have_text([found])
        visit.clean()


def test_a_row_opens_the_page_of_its_owner(browser: Browser, owned: Server) -> None:
    """Who it is and why, use against limits, charts out of the store, its processes; a link restores it, Esc leaves it."""
    with Visit(browser, owned, at="#owners") as visit:
        visit.live()
        row(visit.page, "job 42 train (alice)").get_by_role("button").press("Enter")
        visit.page.wait_for_url("**owner=slurm%2F42*")
        visit.page.reload()
        dialog = visit.page.get_by_role("dialog", name="job 42 train (alice)")
        expect(dialog).to_contain_text("from the cgroup path: /slurm/uid_1000/job_42/step_0")
        expect(dialog).to_contain_text("96.9 % of its limit of memory")
        expect(dialog.locator(".fact.memory dd")).to_have_text("31 of 32 GiB")
        expect(dialog.locator("canvas")).to_have_count(7)
        cores = dialog.locator('[data-plot="cores"]')
        expect(cores.locator("li")).to_have_count(3)
        expect(cores).to_contain_text("programs 7,")
        expect(cores).to_contain_text("kernel 0.5,")
        expect(cores).to_contain_text("limit 8,")
        expect(dialog.locator('[data-plot="memory"]')).to_contain_text("heaps and stacks 20 GiB")
        expect(dialog.locator('[data-plot="throttled"]')).to_contain_text("share of its periods 50.0 %")
        expect(dialog.locator('[data-plot="pressure"]')).to_contain_text("CPU 25.0 %")
        expect(dialog.locator('[data-plot="network"]')).to_contain_text("received 2 KiB/s")
        expect(dialog.locator(".members tbody th")).to_have_text(["train.py"] * 3)
        assert grave(visit) == []
        visit.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        visit.page.wait_for_url(lambda url: "owner=" not in url)
        visit.clean()


def test_a_link_to_an_owner_needs_no_second_look(browser: Browser, kept: Writer) -> None:
    """What the page is told as it opens is enough for the note, the processes and the charts."""
    with page(make=machine, api=functools.partial(query_api.answer, source=Reader(kept.path))) as running:
        running.tick(4)
        with Visit(browser, running, at="&owner=slurm/42") as visit:
            dialog = visit.page.get_by_role("dialog", name="job 42 train (alice)")
            expect(dialog).to_contain_text("96.9 % of its limit of memory")
            expect(dialog.locator(".members tbody th")).to_have_text(["train.py"] * 3)
            expect(dialog.locator("canvas")).to_have_count(7)
            visit.clean()


def test_what_has_ended_keeps_its_page(browser: Browser, owned: Server) -> None:
    """What an owner of the last hour had used; of one that only the history knows its name and what is kept; of none, so."""
    with Visit(browser, owned, at="&owner=slurm/41") as visit:
        dialog = visit.page.get_by_role("dialog", name="job 41 prepare (bob)")
        expect(dialog).to_contain_text("ended at ")
        expect(dialog.locator(".fact.seconds dd")).to_have_text("2 h")
        expect(dialog.locator(".fact.peak dd")).to_have_text("3 GiB")
        expect(dialog.locator(".fact.memory")).to_be_hidden()
        expect(dialog.locator(".members")).to_be_hidden()
        visit.clean()
    with Visit(browser, owned, at="&owner=slurm/7") as visit:
        dialog = visit.page.get_by_role("dialog")
        expect(dialog.locator("h2")).to_have_text("job 7 night")
        expect(dialog).to_contain_text("It is here no more; it was last read at ")
        expect(dialog.locator("canvas")).to_have_count(7)
        visit.clean()
    with Visit(browser, owned, at="&owner=slurm/8") as visit:
        expect(visit.page.get_by_role("dialog")).to_contain_text("Nothing of this name is here now")
        expect(visit.page.get_by_role("dialog")).to_contain_text("The history holds nothing of it at these times.")
        visit.clean()
    with Visit(browser, owned, at="&owner=<b>") as visit:
        expect(visit.page.locator("#notice")).to_contain_text("owner=<b>; give kind/id, such as slurm/42")
        expect(visit.page.get_by_role("dialog")).to_have_count(0)
        visit.clean()


def test_a_hostile_name_has_its_page_and_stays_text(browser: Browser, owned: Server) -> None:
    """Asked for by that very name, in the address and of the history; nothing of it is obeyed."""
    with Visit(browser, owned, at="#owners") as visit:
        visit.live()
        row(visit.page, f"unit {SHOWN}").get_by_role("button").click()
        visit.page.wait_for_url("**owner=unit%2F*")
        visit.page.reload()
        dialog = visit.page.get_by_role("dialog")
        expect(dialog.locator("h2")).to_have_text(f"unit {SHOWN}")
        expect(dialog.locator(".evidence")).to_have_text(f"from the cgroup path: {SHOWN}")
        expect(dialog.locator("canvas")).to_have_count(7)
        assert visit.page.locator("img").count() == 0
        visit.clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 1400])
def test_nobody_is_shut_out(browser: Browser, owned: Server, width: int, scheme: str) -> None:
    """axe-core has no serious or critical finding in table and page, nothing is wider than the window; a phone has the words too."""
    with Visit(browser, owned, width=width, scheme=scheme, at="#owners") as visit:
        visit.live()
        expect(visit.page.locator("#owners-count")).to_have_text("8")
        assert grave(visit) == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        if width == 360:
            said = visit.page.locator("#owners-problems .warn").first
            expect(said).to_have_text("job 42 train (alice): 96.9 % of its limit of memory")
        row(visit.page, "pod ml/trainer-0").get_by_role("button").click()
        dialog = visit.page.get_by_role("dialog")
        expect(dialog.locator(".members tbody tr")).to_have_count(1)
        assert grave(visit) == []
        box = dialog.bounding_box()
        assert box
        assert box["width"] <= width
        visit.clean()


def test_thousands_of_owners_are_drawn_as_far_as_they_are_seen(browser: Browser) -> None:
    """Two thousand and more: those that use most are told, a few rows stand in the page, and the last is reached."""

    def crowd(tick: int) -> Batch:
        return looked_at(
            [OwnerRow(Owner(OwnerKind.UNIT, f"u{i:04}.service"), usage(tick, i / 1000)) for i in range(2300)], ()
        )

    with page(make=crowd) as running:
        running.tick(3)
        clock = running.tick_on(1.0)
        with Visit(browser, running, at="#owners") as visit:
            visit.live()
            expect(visit.page.locator("#owners-count")).to_have_text("2000 of 2300")
            expect(visit.page.locator("#owners-note")).to_have_text("The 2000 that use most CPU of 2300 are here.")
            expect(visit.page.locator("#owners-table tbody th").first).to_have_text("unit u2299.service")
            assert visit.page.locator("#owners-table tbody tr").count() < 60
            visit.page.locator('#owners-table [data-column="name"] button').click()
            visit.page.locator("#owners-scroll").evaluate("box => box.scrollTop = 1e6")
            expect(visit.page.locator("#owners-table tbody th").last).to_have_text("unit u2299.service")
            assert visit.page.locator("#owners-table tbody tr").count() < 60
            visit.clean()
        running.hold()
        clock.join()


def test_a_machine_whose_owners_are_not_read_says_so(browser: Browser) -> None:
    """Not read is not none."""
    with page() as running:
        running.tick(2)
        with Visit(browser, running, at="#owners") as visit:
            expect(visit.page.locator("#owners-count")).to_have_text("Owners were not read; Health says why.")
            visit.clean()
