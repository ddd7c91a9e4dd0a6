"""When members were born, and what they got."""

from datetime import date

from sqlalchemy import CheckConstraint, Index, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import DELETE, TenantOwned, personal

PERSONAL = personal("member_id", on_erase=DELETE)


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `birthday`."""

    metadata = MetaData(schema="birthday")


class Date(Base):
    """A member's day and month of birth, and the local day on which they told it."""

    __tablename__ = "date"
    __table_args__ = (
        CheckConstraint("month BETWEEN 1 AND 12", name="date_month_check"),
        CheckConstraint("day BETWEEN 1 AND 31", name="date_day_check"),
        Index("date_of", "tenant_id", "month", "day", "member_id"),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    month: Mapped[int]
    day: Mapped[int]
    told_on: Mapped[date]


class Present(Base):
    """What became of a member's present of a year; the key allows one a year."""

    __tablename__ = "present"
    __table_args__ = (
        CheckConstraint("state IN ('given', 'missed')", name="present_state_check"),
        Index("present_day", "tenant_id", "given_on"),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    given_on: Mapped[date]
    state: Mapped[str]
