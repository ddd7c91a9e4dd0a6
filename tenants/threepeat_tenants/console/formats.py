"""Figures, money and times as a language and a store write them."""

from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

from babel import dates, numbers

from threepeat.sdk.context import Store
from threepeat.sdk.metrics import Figure, MetricUnit
from threepeat.sdk.wording import ngettext
from threepeat_tenants.console.translations import babel_locale, wording

NOTHING = "–"
"""Stands where there is no figure."""

RECENT = timedelta(days=7)


def number(value: float | Decimal, locale: str) -> str:
    """Such as `1,234`."""
    return numbers.format_decimal(value, locale=babel_locale(locale))


def money(minor: int, store: Store, locale: str) -> str:
    """Minor units as `¥12.50`."""
    whole = Decimal(minor) / store.minor_units
    return numbers.format_currency(whole, store.currency, locale=babel_locale(locale))


def percent(hundredths: float, locale: str) -> str:
    """Hundredths of a percent as `12.5%`."""
    return numbers.format_percent(Decimal(hundredths) / 10_000, "#,##0.##%", locale=babel_locale(locale))


def figure(value: Figure, unit: MetricUnit, store: Store, locale: str) -> str:
    """A metric's figure in its unit; a dash for none."""
    if value is None:
        return NOTHING
    if unit == "money":
        return money(value, store, locale)
    if unit == "percent":
        return percent(value, locale)
    if unit == "days":
        shown = number(value, locale)
        return wording(ngettext("{shown} day", "{shown} days", value, shown=shown), locale)
    return number(value, locale)


def day(value: date, locale: str) -> str:
    """Such as `22 Nov 2026`."""
    return dates.format_date(value, "medium", locale=babel_locale(locale))


def short_day(value: date, locale: str) -> str:
    """A day on an axis, such as `Nov 22`."""
    return dates.format_skeleton("MMMd", value, locale=babel_locale(locale))


def moment(value: datetime, zone: tzinfo, locale: str) -> str:
    """An instant on the clock of a time zone, to the minute."""
    local = value.astimezone(zone)
    shown = dates.format_time(local, "HH:mm", locale=babel_locale(locale))
    return f"{day(local.date(), locale)} {shown}"


def ago(value: datetime, now: datetime, zone: tzinfo, locale: str) -> str:
    """How long ago, or in how long; a date if it is more than a week."""
    if abs(now - value) > RECENT:
        return day(value.astimezone(zone).date(), locale)
    return dates.format_timedelta(value - now, add_direction=True, locale=babel_locale(locale))


def clock(value: datetime, now: datetime, zone: tzinfo, locale: str) -> str:
    """When something came, for a list that is read top down: to the second today, with its day before."""
    local = value.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return dates.format_time(local, "HH:mm:ss", locale=babel_locale(locale))
    return f"{short_day(local.date(), locale)} {dates.format_time(local, 'HH:mm', locale=babel_locale(locale))}"
