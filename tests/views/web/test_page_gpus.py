"""GPUs in a browser, played by `bongsu up --demo`: the mark, the cards, slices, who is on which; and none where none is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no py.typed
from playwright.sync_api import Browser, Dialog, Page, expect

from cli.command import running
from live_page import Page as Server
from visiting import CHROMIUM, PATIENCE, Visit

pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")

SLOW = PATIENCE
NASTY = """
devices:
  - {name: "<img src=x onerror=alert(1)>"}
processes:
  - {pid: 4194300, command: "<b>x</b>", user: "<i>u</i>", owner: {kind: container, id: "<u>c</u>"}, on: [{gpu: 0, memory_mib: 512}]}
"""

LOST = """
devices:
  - {lost_at: 0, held_by: {kind: slurm, id: "7"}}
  - {}
"""


@contextmanager
def demo(browser: Browser, folder: Path, *more: str, width: int = 1400) -> Iterator[tuple[Page, list[str]]]:
    """The page of a demonstration, and all that goes wrong on it."""
    arguments = ("up", "--port", "0", "--quiet", "--interval", "0.5", "--data-dir", str(folder), *(more or ("--demo",)))
    with running(*arguments) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        context = browser.new_context(viewport={"width": width, "height": 900})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda m: wrong.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))

        def refuse(dialog: Dialog) -> None:
            wrong.append("a dialog")
            dialog.dismiss()

        page.on("dialog", refuse)
        try:
            page.goto(address)
            yield page, wrong
        finally:
            context.close()


def test_every_page_of_a_demonstration_says_so(browser: Browser, tmp_path: Path) -> None:
    """The mark stands in the header, which stays in sight, and in the title."""
    with demo(browser, tmp_path) as (page, wrong):
        expect(page.locator("#demo")).to_have_text("DEMO", timeout=SLOW)
        expect(page).to_have_title(re.compile("^DEMO "))
        page.locator("#health").scroll_into_view_if_needed()
        expect(page.locator("#demo")).to_be_in_viewport()
        assert wrong == []


def test_a_real_page_has_neither_mark_nor_gpus(browser: Browser, server: Server) -> None:
    """Where nothing is made up nothing says so; without a GPU there is no section of GPUs."""
    with Visit(browser, server) as visit:
        expect(visit.page.locator("#processes-table tbody tr").first).to_be_visible(timeout=SLOW)
        expect(visit.page.locator("#demo")).to_be_hidden()
        expect(visit.page.locator("#gpus")).to_have_count(0)


def test_cards_slices_and_who_is_on_which(browser: Browser, tmp_path: Path) -> None:
    """Eight cards, the stuck one marked, the divided one in slices; processes with owner, memory and SMs; search; axe."""
    with demo(browser, tmp_path) as (page, wrong):
        expect(page.locator("#gpus-cards > li")).to_have_count(8, timeout=SLOW)
        expect(page.locator('#gpus-cards [data-gpu="5"]')).to_contain_text("busy but stuck")
        expect(page.locator('#gpus-cards [data-gpu="0"]')).to_contain_text("of 700 W")
        expect(page.locator('#gpus-cards [data-gpu="7"] .slices li')).to_have_count(7)
        expect(page.locator('nav a[href="#gpus"]')).to_be_visible()
        page.locator("#gpus-table").scroll_into_view_if_needed()
        row = page.locator("#gpus-table tbody tr", has_text="vllm")
        expect(row).to_contain_text("pod inference/chat-serve-0")
        expect(row).to_contain_text("59.6 GiB")
        page.locator("#gpus-search").fill("48377")
        expect(page.locator("#gpus-table tbody tr:visible")).to_have_count(4)
        expect(page).to_have_url(re.compile("gpu-search=48377"))
        found = Axe().run(page, context="#gpus")
        assert found.response["violations"] == []
        assert wrong == []


def test_who_uses_the_gpus(browser: Browser, tmp_path: Path) -> None:
    """A line for each owner with what it holds and leaves empty; sorted as the address says, found as processes are; its page."""
    with demo(browser, tmp_path) as (page, wrong):
        lines = page.locator("#gpu-owners-table tbody tr")
        expect(lines.first).to_contain_text("job 48213 llm-pretrain (ada)", timeout=SLOW)
        page.locator("#gpu-owners-scroll").scroll_into_view_if_needed()  # out of sight nothing is done
        expect(lines.first.locator("td.gpus")).to_have_text(re.compile("^0.3$"))
        expect(lines.first.locator("td.empty")).to_have_text("none")
        expect(lines.first.locator("td.power")).to_have_text(re.compile(r"W$"), timeout=SLOW)
        expect(lines.first.locator("td.energy")).to_have_text(re.compile(r"Wh$"))
        assert "NaN" not in page.locator("#gpus").inner_text()
        page.locator('#gpu-owners-table [data-column="processes"] button').click()
        expect(page).to_have_url(re.compile("gpu-owner-sort=processes"))
        page.locator("#gpus-search").fill("chat-serve-0")
        expect(lines).to_have_count(1)
        expect(page.locator("#gpus-table tbody tr")).to_have_count(12)
        lines.first.locator("button").click()
        expect(page.locator("dialog[open] h2")).to_contain_text("pod 6c1f7a52")
        expect(page).to_have_url(re.compile("owner=pod%2F6c1f7a52"))
        page.keyboard.press("Escape")
        page.locator("#gpus-search").fill("no such owner")
        expect(page.locator("#gpu-owners-none")).to_be_visible()
        assert [text for text in wrong if "503" not in text] == []  # a demonstration keeps no history to ask


def test_a_lost_gpu_says_why(browser: Browser, tmp_path: Path) -> None:
    """Its card says that it does not answer, and the driver's reason apart from that; nothing is called empty or 0 by it."""
    scenario = tmp_path / "lost.yaml"
    scenario.write_text(LOST)
    with demo(browser, tmp_path, "--demo", str(scenario)) as (page, wrong):
        card = page.locator('#gpus-cards [data-gpu="0"]')
        expect(card.locator("p").first).to_have_text("does not answer", timeout=SLOW)
        expect(card.locator("p").nth(1)).to_contain_text("NVML_ERROR_GPU_IS_LOST")
        held = page.locator("#gpu-owners-table tbody tr")
        expect(held).to_have_count(1)
        expect(held.locator("td.gpus")).to_have_text("0")
        expect(held.locator(":is(td.empty, td.processes, td.memory)")).to_have_text(["\N{EN DASH}"] * 3)
        assert "false" not in page.locator("#gpus").inner_text()
        assert wrong == []


def test_names_are_text(browser: Browser, tmp_path: Path) -> None:
    """Whatever a GPU, process, user or owner is called, it is shown as it is and does nothing; a phone shows it too."""
    scenario = tmp_path / "nasty.yaml"
    scenario.write_text(NASTY)
    with demo(browser, tmp_path, "--demo", str(scenario), width=380) as (page, wrong):
        expect(page.locator("#gpus-cards h3")).to_contain_text("<img src=x onerror=alert(1)>", timeout=SLOW)
        page.locator("#gpus-table").scroll_into_view_if_needed()
        expect(page.locator("#gpus-table tbody")).to_contain_text("<b>x</b>")
        expect(page.locator("#gpu-owners-table tbody")).to_contain_text("<u>c</u>")
        assert page.locator("#gpus img, #gpus b, #gpus i, #gpus u").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        assert wrong == []
