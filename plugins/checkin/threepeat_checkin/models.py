"""Check-ins, what they brought, made-up days by month, and what members bought."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, MetaData, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import DELETE, TenantOwned, personal

PERSONAL = personal("member_id", on_erase=DELETE)


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `checkin`."""

    metadata = MetaData(schema="checkin")


class CheckIn(Base):
    """A day on which a member checked in; its key allows one a day.

    Streaks are nowhere stored: they are counted from these rows. `make_up_month` is set on a made-up day; it is
    the first day of the month in which that was done.
    """

    __tablename__ = "check_in"
    __table_args__ = (
        CheckConstraint("extract(day FROM make_up_month) = 1", name="check_in_month_check"),
        Index("check_in_day", "tenant_id", "day", postgresql_include=["member_id"]),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    checked_at: Mapped[datetime]
    make_up_month: Mapped[date | None]


class Reward(Base):
    """What became of a reward that a day was to bring.

    `step` is the days in a row that it was for, 0 for the day's own reward. `merged` rows come from another member
    who turned out to be the same person: that member got them, and the run they now stand in gives them no more.
    """

    __tablename__ = "reward"
    __table_args__ = (
        CheckConstraint("step >= 0", name="reward_step_check"),
        CheckConstraint("amount > 0", name="reward_amount_check"),
        CheckConstraint(
            "state IN ('granted', 'duplicate', 'held_out', 'over_budget', 'closed')", name="reward_state_check"
        ),
        Index("reward_missed", "tenant_id", "day", postgresql_where=text("state NOT IN ('granted', 'duplicate')")),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    amount: Mapped[int]
    item: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str]
    merged: Mapped[bool] = mapped_column(server_default=false())


class MakeUp(Base):
    """How many days a member made up for in a month; its row is the limit's lock."""

    __tablename__ = "make_up"
    __table_args__ = (CheckConstraint("used > 0", name="make_up_used_check"), {"comment": PERSONAL})

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    month: Mapped[date] = mapped_column(primary_key=True)
    used: Mapped[int]


class Purchase(Base):
    """The local day of a paid order: whether those who check in also buy is counted from these rows."""

    __tablename__ = "purchase"
    __table_args__ = (Index("purchase_member", "tenant_id", "member_id", "day"), {"comment": PERSONAL})

    order_id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int]
    day: Mapped[date]
