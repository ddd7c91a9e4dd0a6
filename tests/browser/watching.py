"""What a browser notices of a page: errors, refused requests, violations of the policy, and how it is laid out."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po
from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, Response

TOUCH = 44
"""The least height of what a finger has to meet, in CSS pixels."""
PHONE, DESKTOP = 375, 1280
HEIGHT = {PHONE: 812, DESKTOP: 900}

VIOLATIONS = """
document.addEventListener("securitypolicyviolation", event =>
    window.__violation(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""
LAYOUT = (Path(__file__).parent / "layout.js").read_text()
TEXTS = (Path(__file__).parent / "texts.js").read_text()

PLACEHOLDER = re.compile(r"\{[a-z_]+\}|%\([a-z_]+\)s")
WORD = re.compile(r"[A-Za-z]{3}")
ENGLISH = re.compile(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\b")
"""What no Chinese page says, wherever it comes from."""


class Watch:
    """Notes everything that is wrong in a context's pages.

    Args:
        context: A context that has no pages yet.

    Attributes:
        found: What was wrong, in the order of time.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.found: list[str] = []
        self._expected: set[int] = set()
        context.expose_function("__violation", lambda what: self.found.append(f"policy: {what}"))
        context.add_init_script(VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(f"script: {error.error}"))
        context.on("dialog", self._dialog)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    @contextmanager
    def expecting(self, status: int) -> Iterator[None]:
        """Let answers of this status pass."""
        self._expected.add(status)
        try:
            yield
        finally:
            self._expected.discard(status)

    def _console(self, message: ConsoleMessage) -> None:
        # An answer that is an error is told by `response`, with its address.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.found.append(f"console: {message.text[:300]}")

    def _dialog(self, dialog: Dialog) -> None:
        self.found.append(f"dialog: {dialog.message[:100]}")
        dialog.dismiss()

    def _failed(self, request: Request) -> None:
        # The browser ends streams and what it asked for in vain when a page is left.
        if request.failure != "net::ERR_ABORTED":
            self.found.append(f"failed: {request.method} {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._expected:
            self.found.append(f"answer: {response.status} {response.request.method} {response.url}")


SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
"""Charts follow a change of the window's width a frame later."""


def layout(page: Page) -> list[str]:
    """What is wrong with a page's layout: it is wider than the window, cuts text off, or is too small to touch."""
    page.evaluate(SETTLED)
    found: list[str] = page.evaluate(LAYOUT, {"touch": TOUCH if page.viewport_size["width"] <= PHONE else 0})
    return found


def picture(page: Page, file: Path) -> None:
    """A picture of the whole page, with what is fixed to the window's edges at the page's."""
    size = page.viewport_size
    page.set_viewport_size(
        {**size, "height": max(size["height"], page.evaluate("document.scrollingElement.scrollHeight"))}
    )
    page.screenshot(path=file)
    page.set_viewport_size(size)


def untranslated(page: Page) -> list[str]:
    """Texts of a Chinese page that are English: one of ours that has a translation, or a whole sentence."""
    texts: list[str] = page.evaluate(TEXTS)
    return sorted({text for text in texts if _is_source(text) or ENGLISH.search(text)})


def _is_source(text: str) -> bool:
    plain, patterns = _sources()
    return text in plain or any(pattern.fullmatch(text) for pattern in patterns)


@lru_cache(maxsize=1)
def _sources() -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """Our English texts that have a translation: those without, and those with placeholders."""
    plain: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for source in _translated():
        squeezed = " ".join(source.split())
        if not PLACEHOLDER.search(squeezed):
            plain.add(squeezed)
        elif WORD.search(PLACEHOLDER.sub("", squeezed)):
            parts = (re.escape(part) for part in PLACEHOLDER.split(squeezed))
            patterns.append(re.compile(".{1,80}".join(parts)))
    return frozenset(plain), tuple(patterns)


def _translated() -> Iterator[str]:
    packages = {point.module.partition(".")[0] for point in entry_points(group="threepeat.plugins")}
    for package in ("threepeat_tenants", *sorted(packages)):
        folder = files(package) / "locale" / "zh_CN" / "LC_MESSAGES"
        for file in folder.iterdir() if folder.is_dir() else ():
            if file.name.endswith(".po"):
                with file.open("rb") as stream:
                    catalogue = read_po(stream, "zh_CN")
                yield from _sentences(catalogue)


def _sentences(catalogue: Iterable[Any]) -> Iterator[str]:
    for message in catalogue:
        sources = message.id if isinstance(message.id, tuple) else (message.id,)
        said = message.string if isinstance(message.string, tuple) else (message.string,)
        yield from (source for source in sources if source and WORD.search(source) and said[0] not in {"", source})
