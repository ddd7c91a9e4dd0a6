"""Looks at every page that links lead to, each kind of page a few times."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urljoin, urlsplit

from playwright.sync_api import Page

NUMBER = re.compile(r"/[0-9]+(?=/|$)")
LINKS = "() => [...document.querySelectorAll('a[href]')].map(link => [link.href, link.hasAttribute('download')])"
EACH = 2
MOST = 150


@dataclass
class Crawl:
    """A walk from page to page.

    Attributes:
        page: A page of somebody who is signed in.
        each: How many pages of a kind are looked at; pages are of one kind if they differ by numbers only.
        pages: Addresses that were looked at.
        files: Addresses that lead to something that is no page.
    """

    page: Page
    each: int = EACH
    pages: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    _kinds: Counter[str] = field(default_factory=Counter)

    def walk(self, *starts: str) -> Iterator[str]:
        """Open one page after the other; yields its address while it is open."""
        waiting, known = list(starts), set(starts)
        while waiting:
            address = waiting.pop(0)
            kind = _kind(address)
            if self._kinds[kind] >= self.each or len(self.pages) >= MOST:
                continue
            self._kinds[kind] += 1
            self.page.goto(address, wait_until="load")
            self.pages.append(address)
            links = self.page.evaluate(LINKS)
            yield address
            for target, download in links:
                found = urljoin(address, target).partition("#")[0]
                if found in known or urlsplit(found)[:2] != urlsplit(address)[:2]:
                    continue
                known.add(found)
                if download or ".csv" in found or found.endswith((".json", ".csv")):
                    self.files.append(found)
                elif "/v1/" not in found and "/static/" not in found:
                    waiting.append(found)


def _kind(address: str) -> str:
    parts = urlsplit(address)
    names = sorted(f"{name}={value if value.isalpha() else ''}" for name, value in parse_qsl(parts.query))
    return f"{NUMBER.sub('/0', parts.path)}?{'&'.join(names)}"
