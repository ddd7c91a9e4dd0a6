"""Keeps orders and their articles; an article goes where its order goes, to another member too."""

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import OrderPaid
from threepeat.sdk.models import DELETE, TenantOwned, personal

PERSONAL = personal("member_id", on_erase=DELETE)


class Base(TenantOwned, DeclarativeBase):
    metadata = MetaData(schema="baskets")


class Basket(Base):
    __tablename__ = "basket"
    __table_args__ = (
        UniqueConstraint("tenant_id", "order_id", "member_id", name="basket_of"),
        Index("basket_member", "tenant_id", "member_id"),
        {"comment": PERSONAL},
    )

    order_id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int]


class Article(Base):
    __tablename__ = "article"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "order_id", "member_id"],
            [f"baskets.basket.{name}" for name in ("tenant_id", "order_id", "member_id")],
            name="article_basket",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        Index("article_member", "tenant_id", "member_id"),
        {"comment": PERSONAL},
    )

    order_id: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    member_id: Mapped[int]
    sku: Mapped[str]


class Baskets(Plugin[PluginSettings]):
    manifest = Manifest(id="baskets", kind="tactic", title="Baskets", summary="Remembers what members bought.")
    settings_model = PluginSettings
    metadata = Base.metadata

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.keep)

    @hookimpl
    def merge_members(self, ctx, source, target):
        ctx.sql("merge", source=source, target=target)

    def keep(self, ctx, events):
        orders = {event.order_id: event for event in events}
        rows = [(key, place, line.sku) for key, one in orders.items() for place, line in enumerate(one.lines)]
        ctx.sql(
            "keep",
            orders=list(orders),
            members=[event.member for event in orders.values()],
            of=[key for key, _, _ in rows],
            places=[place for _, place, _ in rows],
            skus=[sku for _, _, sku in rows],
        )


plugin = Baskets()
