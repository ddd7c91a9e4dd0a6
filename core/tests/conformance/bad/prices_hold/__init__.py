"""It takes the word of whoever asks, and frees a seat as often as it is told to."""

from threepeat.sdk import Manifest, Plugin, PluginSettings, Reduction, Refused, Stage, hookimpl, price_rule


class Matinee(Plugin[PluginSettings]):
    """Some seats at half the price."""

    manifest = Manifest(id="matinee", kind="tactic", title="Matinee", summary="Half the price for ten seats.")
    settings_model = PluginSettings

    @hookimpl
    def price_rules(self):
        yield price_rule(
            "seats", stage=Stage.ACTIVITY, quote=quote, reserve=reserve, confirm=confirm, release=release
        )


def quote(_ctx, asked):
    seats = int(asked.choice or 1)
    yield Reduction("Matinee", amount=sum(asked.standing.values()) // 2, data={"seats": seats})


def reserve(ctx, hold):
    fresh = ctx.sql("hold", reservation=hold.reservation)
    if fresh and not ctx.sql("take", seats=hold.data["seats"], most=10):
        raise Refused("There is no seat left.", code="sold-out")


def confirm(_ctx, _hold):
    pass


def release(ctx, hold):
    ctx.sql("free", seats=hold.data["seats"])


plugin = Matinee()
SAYS = (
    "the rule seats fails: TypeError",
    "told twice, when what was held is released: matinee.seats",
)
