"""Passwords: which are good enough, and how they are kept and checked."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Invalid
from threepeat_tenants.accounts.throttle import TooManyAttempts

SHORTEST, LONGEST = 10, 256
AT_ONCE = 2
"""How many are hashed at a time in this process: each takes 19 MiB, which its thread keeps."""
WAIT_SECONDS = 10.0
BUSY_SECONDS = 5
LEAST_OF_ITS_OWN = 6
"""So many characters are left of a password without what everybody can guess."""

# OWASP's least for Argon2id.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16)

RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "qazwsxedcrfvtgbyhnujm",
    "!@#$%^&*()",
)
WORDS = (
    "password", "passwort", "passwd", "secret", "admin", "administrator", "root", "user", "guest", "test", "demo",
    "login", "welcome", "letmein", "changeme", "default", "master", "monkey", "dragon", "football", "baseball",
    "sunshine", "princess", "superman", "batman", "iloveyou", "loveyou", "trustno", "shadow", "hello", "freedom",
    "whatever", "summer", "winter", "spring", "autumn", "china", "beijing", "shanghai", "wechat", "weixin",
    "alipay", "taobao", "woaini", "woaiwojia", "mima", "denglu", "nihao", "zhongguo", "wangpu", "dianpu",
    "xiaochengxu",
    "threepeat", "merchant", "owner", "manager", "store", "shop", "company",
    "密码", "登录", "管理员", "我爱你", "你好", "中国", "微信", "店铺",
)  # fmt: skip
LEET = str.maketrans("013457@$!", "oleastasi")

T = TypeVar("T")


def make_hash(password: str) -> str:
    """The hash to store for a password that `require_good` let pass.

    Raises:
        TooManyAttempts: So many are waiting that this one is not looked at.
    """
    return _in_turn(lambda: HASHER.hash(_plain(password)))


def check(password: str, stored: str | None) -> bool:
    """Whether a password belongs to a stored hash; no hash takes as long to answer as a wrong password.

    Raises:
        TooManyAttempts: So many are waiting that this one is not looked at.
    """
    acceptable = len(password) <= LONGEST and _storable(password)
    given = _plain(password) if acceptable else ""
    return _in_turn(lambda: _verify(given, stored)) and acceptable and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return HASHER.check_needs_rehash(stored)


def require_good(password: str, *about: str) -> None:
    """See that a new password is not one of those that are tried first.

    Args:
        about: What others know of the person, such as login, name and store.

    Raises:
        Invalid: It is too short, too long, or easily guessed.
    """
    if len(password) < SHORTEST:
        raise Invalid("password", _("use at least {n} characters", n=SHORTEST))
    if len(password) > LONGEST:
        raise Invalid("password", _("use at most {n} characters", n=LONGEST))
    if not _storable(password):
        raise Invalid("password", _("leave out characters that cannot be typed"))
    plain = _plain(password).casefold()
    if plain.isdigit():
        raise Invalid("password", _("use more than digits: they are tried first"))
    if len(set(plain)) < 5 or _repeats(plain):
        raise Invalid("password", _("use more different characters"))
    known = sorted({part for text in about for part in _parts(text)}, key=len, reverse=True)
    if len(_without(plain, known)) < LEAST_OF_ITS_OWN:
        raise Invalid("password", _("leave out your name, your login and the store's name"))
    if min(len(_left(plain)), len(_left(plain.translate(LEET)))) < LEAST_OF_ITS_OWN:
        raise Invalid("password", _("choose one that is harder to guess, such as four words of your own"))


def _in_turn(work: Callable[[], T]) -> T:
    """Run it in one of a few threads of its own: in the caller's, each of these would keep 19 MiB."""
    job = _threads().submit(work)
    try:
        return job.result(WAIT_SECONDS)
    except TimeoutError:
        job.cancel()
        raise TooManyAttempts(BUSY_SECONDS) from None


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, "passwords")


def _verify(given: str, stored: str | None) -> bool:
    nobodys = _nobodys()  # made by the first check, whatever it is about
    try:
        return HASHER.verify(stored or nobodys, given)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return HASHER.hash("nobody's")


def _plain(password: str) -> str:
    """What is hashed: the same for one password typed on different keyboards."""
    return unicodedata.normalize("NFKC", password)


def _storable(password: str) -> bool:
    return not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", password)


def _repeats(text: str) -> bool:
    """Whether it is a short piece, over and over."""
    period = (text + text).find(text, 1)
    return period <= len(text) // 2


def _left(text: str) -> str:
    """What remains without common words, neighbouring keys, and digits and signs around them."""
    rest = _without(_without(text, WORDS), _neighbours())
    return text if rest == text else re.sub(r"[\d\W_]", "", rest)


@cache
def _neighbours() -> Sequence[str]:
    """Every piece of a run of at least four keys, in both directions, the longest first."""
    pieces = {run[at:end] for run in RUNS for at in range(len(run)) for end in range(at + 4, len(run) + 1)}
    return sorted(pieces | {piece[::-1] for piece in pieces}, key=len, reverse=True)


def _parts(text: str) -> list[str]:
    folded = _plain(text[:1000]).casefold()
    return [part for part in {folded, *re.split(r"[\W_]+", folded)} if len(part) >= (3 if part.isascii() else 2)]


def _without(text: str, words: Sequence[str]) -> str:
    for word in words:
        text = text.replace(word, "")
    return text
