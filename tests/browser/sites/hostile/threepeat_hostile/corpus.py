"""Strings that do something where they are not taken as text, each with a mark of its own at the end."""

from itertools import count

CORPUS = (
    "<script>__hit(1)</script>",
    "<img src=x onerror=__hit(2)>",
    '"><svg onload=__hit(3)>',
    "' autofocus onfocus='__hit(4)' x='",
    '" autofocus onfocus="__hit(5)" x="',
    "javascript:__hit(6)",
    "{{7*7}}{% print(7*7) %}",
    "{0.__class__}%(num)s%s",
    "</script><script>__hit(8)</script>",
    "</title></textarea></style><b data-hostile>",
    "<style>*{display:none!important}</style>",
    "--><!--<b data-hostile>",
    "\u202egnp.exe",
    '=HYPERLINK("http://x.example","y")',
    "@SUM(1+1)",
    "+1+1",
    "-1+1",
    "<iframe srcdoc='<script>parent.__hit(12)</script>'>",
    "${7*7}#{7*7}<%= 7*7 %>",
    "&lt;img src=x onerror=__hit(14)&gt;",
    "<a href=javascript:__hit(15) data-hostile>x</a>",
    "<form action=//x.example data-hostile><button>",
    "]]><svg><animate onbegin=__hit(17)>",
    "<meta http-equiv=refresh content=0;url=//x.example>",
    "<b hx-get=/operator/ hx-trigger=load data-hostile>",
)


class Strings:
    """Hands the corpus out, one string after the other.

    Args:
        prefix: Tells the marks of several hands apart.

    Attributes:
        given: What was handed out, by where it was put.
    """

    def __init__(self, prefix: str) -> None:
        self.given: dict[str, str] = {}
        self._prefix = prefix
        self._count = count()

    def __call__(self, place: str) -> str:
        """The next one, or the one that this place has."""
        if place in self.given:
            return self.given[place]
        number = next(self._count)
        made = f"{CORPUS[number % len(CORPUS)]} {self._prefix}{number}z"
        self.given[place] = made
        return made

    def every(self, place: str) -> list[str]:
        """The whole corpus, for one place."""
        return [self(f"{place} {number}") for number in range(len(CORPUS))]
