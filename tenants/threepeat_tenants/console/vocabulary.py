"""What events are called in the consoles."""

from collections.abc import Mapping

from threepeat.sdk.wording import Wording, _
from threepeat_tenants.console.page import Page

EVENTS: Mapping[str, Wording] = {
    "order.created": _("Order placed"),
    "order.paid": _("Order paid"),
    "order.shipped": _("Order shipped"),
    "order.completed": _("Order completed"),
    "order.cancelled": _("Order cancelled"),
    "order.refunded": _("Order refunded"),
    "refund.failed": _("Refund failed"),
    "visit.made": _("Visit to the store"),
    "appointment.booked": _("Appointment booked"),
    "appointment.attended": _("Appointment attended"),
    "appointment.cancelled": _("Appointment cancelled"),
    "service.progressed": _("Service made progress"),
    "session.started": _("Mini-program opened"),
    "session.ended": _("Mini-program left"),
    "page.viewed": _("Page viewed"),
    "product.viewed": _("Product viewed"),
    "product.favorited": _("Product added to favourites"),
    "cart.updated": _("Cart changed"),
    "search.performed": _("Searched in the mini-program"),
    "content.viewed": _("Content viewed"),
    "share.sent": _("Shared with others"),
    "review.submitted": _("Review written"),
    "feedback.submitted": _("Feedback given"),
    "code.scanned": _("Code scanned"),
    "member.registered": _("Member registered"),
    "member.identified": _("Member recognised"),
    "consent.changed": _("Consent changed"),
    "permission.granted": _("Messages permitted"),
    "account.followed": _("Official account followed"),
    "product.updated": _("Product changed in the catalogue"),
}
"""Every type of the SDK's catalogue."""


def event(page: Page, kind: str) -> str:
    """What a type of event is called in the reader's language.

    One of a plugin's own is called by the plugin: `Points: earned`. One that nobody knows is called by itself.
    """
    if kind in EVENTS:
        return page.say(EVENTS[kind])
    plugin, _dot, rest = kind.partition(".")
    registry = page.platform.registry
    if plugin not in registry or not rest:
        return kind
    title = page.say_plugin(plugin, registry[plugin].manifest.title)
    known = page.platform.catalogue.classes.get(kind)
    plain = rest.replace("_", " ").replace(".", " ")
    what = page.say_plugin(plugin, known.title if known is not None and known.title else plain)
    return page.say(_("{title}: {what}", title=title, what=what))
