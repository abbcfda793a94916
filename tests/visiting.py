"""Opens the live page in Debian's Chromium and notes all that goes wrong on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright

from live_page import TOKEN
from live_page import Page as Server

CHROMIUM = "/usr/bin/chromium"
PATIENCE = 60_000  # ms within which a page has done what it does in one, on a machine that is busy with other things
FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--disable-quic", "--disable-gpu", "--disable-dev-shm-usage",
]  # fmt: skip


expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser until the end of the block."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=2 * PATIENCE)
        yield opened
        opened.close()


class Visit:
    """A page that was opened with the token, and all that went wrong on it. ``at`` goes on with the address."""

    def __init__(
        self, browser: Browser, server: Server, width: int = 1400, scheme: str = "light", at: str = ""
    ) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.add_init_script(
            "window.violations = []; addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective))"
        )
        self.page.goto(f"{server.address}/?token={TOKEN}{at}")

    def _dialog(self, dialog: Dialog) -> None:
        self.wrong.append("a dialog")
        dialog.dismiss()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.page.unroute_all(behavior="ignoreErrors")  # an answer on its way may come when there is no page any more
        self.context.close()

    def live(self) -> None:
        """Wait until readings come."""
        expect(self.page.locator("#state")).to_have_text("live")

    def clean(self) -> None:
        """Nothing went wrong: no error in the console, nothing that the content policy refused, no dialog."""
        assert self.page.evaluate("violations") == []
        assert self.wrong == []
