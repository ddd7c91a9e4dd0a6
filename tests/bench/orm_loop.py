"""The yardstick: an ordinary, careful service that handles one event at a time through an ORM.

It does the same work as ingest, orders and points together: keep the event once, find or make the member,
keep the order, keep the buyer's summary, grant a lot, write the journal; one transaction per event.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Engine, ForeignKey, UniqueConstraint, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

LIFE = timedelta(days=730)


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class Member(Base):
    __tablename__ = "orm_member"
    __table_args__ = (UniqueConstraint("tenant_id", "external_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    external_id: Mapped[str]
    debt: Mapped[int] = mapped_column(default=0)
    orders: Mapped[int] = mapped_column(default=0)
    paid: Mapped[int] = mapped_column(default=0)
    first_order_at: Mapped[datetime | None]
    last_order_at: Mapped[datetime | None]


class Event(Base):
    __tablename__ = "orm_event"
    __table_args__ = (UniqueConstraint("tenant_id", "source", "event_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    source: Mapped[str]
    event_id: Mapped[str]
    type: Mapped[str]
    member_id: Mapped[int] = mapped_column(ForeignKey("orm_member.id"), index=True)
    occurred_at: Mapped[datetime]
    data: Mapped[dict[str, Any]]


class Order(Base):
    __tablename__ = "orm_order"
    __table_args__ = (UniqueConstraint("tenant_id", "order_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    order_id: Mapped[str]
    member_id: Mapped[int] = mapped_column(ForeignKey("orm_member.id"), index=True)
    total: Mapped[int]
    lines: Mapped[list[Any]]


class Lot(Base):
    __tablename__ = "orm_lot"
    __table_args__ = (UniqueConstraint("tenant_id", "order_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    order_id: Mapped[str]
    member_id: Mapped[int] = mapped_column(ForeignKey("orm_member.id"), index=True)
    granted: Mapped[int]
    remaining: Mapped[int]
    expires_at: Mapped[datetime]


class Entry(Base):
    __tablename__ = "orm_entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    member_id: Mapped[int] = mapped_column(ForeignKey("orm_member.id"), index=True)
    reference: Mapped[str]
    points: Mapped[int]


def handle(engine: Engine, tenant_id: int, event: dict[str, Any]) -> None:
    """Handle one paid order; an event that is there already changes nothing."""
    data = event["data"]
    moment = datetime.fromisoformat(event["time"])
    with Session(engine) as session:
        wanted = select(Member).filter_by(tenant_id=tenant_id, external_id=event["subject"]).with_for_update()
        member = session.scalar(wanted)
        if member is None:
            member = Member(tenant_id=tenant_id, external_id=event["subject"])
            session.add(member)
            try:
                session.flush()
            except IntegrityError:
                session.rollback()
                member = session.scalars(wanted).one()
        session.add(
            Event(
                tenant_id=tenant_id,
                source=event["source"],
                event_id=event["id"],
                type=event["type"],
                member_id=member.id,
                occurred_at=moment,
                data=data,
            )
        )
        try:
            session.flush()
        except IntegrityError:
            session.rollback()
            return
        session.add(
            Order(
                tenant_id=tenant_id,
                order_id=data["order_id"],
                member_id=member.id,
                total=data["total"],
                lines=data["lines"],
            )
        )
        member.orders = (member.orders or 0) + 1
        member.paid = (member.paid or 0) + data["total"]
        member.first_order_at = min(member.first_order_at or moment, moment)
        member.last_order_at = max(member.last_order_at or moment, moment)
        points = data["total"] // 100
        settled = min(member.debt or 0, points)
        member.debt = (member.debt or 0) - settled
        session.add(
            Lot(
                tenant_id=tenant_id,
                order_id=data["order_id"],
                member_id=member.id,
                granted=points,
                remaining=points - settled,
                expires_at=moment + LIFE,
            )
        )
        session.add(
            Entry(tenant_id=tenant_id, member_id=member.id, reference=f"order:{data['order_id']}", points=points)
        )
        session.commit()
