"""Goods that may not be sold in blind boxes, known by words in their names and categories."""

import re
import unicodedata
from collections.abc import Mapping

from threepeat.sdk import Wording, _

FORBIDDEN: Mapping[str, tuple[Wording, tuple[str, ...]]] = {
    "medicine": (
        _("medicines and medical devices may not be sold in blind boxes"),
        ("药品", "处方药", "医疗器械", "疫苗", "medicine", "medicines", "medication", "drug", "drugs", "vaccine"),
    ),
    "dangerous": (
        _("toxic, flammable and explosive goods may not be sold in blind boxes"),
        (
            *("有毒", "剧毒", "农药", "易燃", "易爆", "烟花", "爆竹", "汽油", "放射性", "危险品"),
            *(
                "poison",
                "pesticide",
                "explosive",
                "explosives",
                "firework",
                "fireworks",
                "gasoline",
                "radioactive",
            ),
        ),
    ),
    "animals": (
        _("live animals may not be sold in blind boxes"),
        (
            "活体",
            "活物",
            "宠物活体",
            "活禽",
            "live animal",
            "live animals",
            "living animal",
            "live pet",
            "live pets",
        ),
    ),
    "parcels": (
        _("undeliverable parcels may not be sold in blind boxes"),
        ("无法投递", "无人认领快件", "undeliverable parcel", "undeliverable parcels", "lost parcels"),
    ),
}
"""By kind: what the merchant is told, and the words; a Latin word counts as a whole word."""

CAREFUL = ("食品", "化妆品", "护肤", "零食", "food", "snack", "snacks", "cosmetic", "cosmetics")
"""Goods that may be sold if their quality and shelf life are seen to."""


def against(text: str) -> Wording | None:
    """Why goods of this name or category may not be sold in boxes; None if nothing is known against them."""
    folded = _folded(text)
    return next((reason for reason, words in FORBIDDEN.values() if any(_in(word, folded) for word in words)), None)


def needs_care(text: str) -> bool:
    """Whether the rules ask for safeguards."""
    folded = _folded(text)
    return any(_in(word, folded) for word in CAREFUL)


def _folded(text: str) -> str:
    """A text in small letters of one width."""
    return unicodedata.normalize("NFKC", text).casefold()


def _in(word: str, folded: str) -> bool:
    return bool(re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", folded)) if word.isascii() else word in folded
