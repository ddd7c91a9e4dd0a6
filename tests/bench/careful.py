"""The yardstick for commands: what a careful developer writes by hand with FastAPI and an ORM.

Rows are locked before they are looked at, limits are held, and every command is one transaction. There is one
store, and nobody asks who calls: no tenants, no policies, no keys, no plugins, no log.

A session is opened and closed by the command itself: one that the framework closes afterwards waits for a thread
meanwhile, with its connection, and all threads may be waiting for a connection.
"""

import os
import secrets

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {int: BigInteger}  # noqa: RUF012 - SQLAlchemy's own form


class Member(Base):
    __tablename__ = "careful_member"
    id: Mapped[int] = mapped_column(primary_key=True)
    points: Mapped[int]


class Entry(Base):
    __tablename__ = "careful_entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("careful_member.id"), index=True)
    points: Mapped[int]


class Item(Base):
    __tablename__ = "careful_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]
    stock: Mapped[int]


class Redemption(Base):
    __tablename__ = "careful_redemption"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("careful_member.id"), index=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("careful_item.id"), index=True)


class Team(Base):
    __tablename__ = "careful_team"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]


class Seat(Base):
    __tablename__ = "careful_seat"
    __table_args__ = (UniqueConstraint("team_id", "member_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("careful_team.id"), index=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("careful_member.id"), index=True)
    number: Mapped[int]


class Prize(Base):
    __tablename__ = "careful_prize"
    id: Mapped[int] = mapped_column(primary_key=True)
    weight: Mapped[int]
    left: Mapped[int]


class Box(Base):
    __tablename__ = "careful_box"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("careful_member.id"), index=True)
    prize_id: Mapped[int | None] = mapped_column(ForeignKey("careful_prize.id"))


class Redeem(BaseModel):
    member: int
    item: int


class Join(BaseModel):
    member: int
    team: int
    number: int


class Draw(BaseModel):
    member: int
    box: int


engine = create_engine(os.environ["CAREFUL_URL"], pool_size=15, max_overflow=0)
app = FastAPI()


@app.get("/ready")
def ready() -> None:
    """It answers."""


@app.post("/redeem")
def redeem(wanted: Redeem) -> dict[str, int]:
    """Points for one of an item."""
    with Session(engine) as opened:
        member = opened.get(Member, wanted.member, with_for_update=True)
        item = opened.get(Item, wanted.item, with_for_update=True)
        if member is None or item is None:
            raise HTTPException(404)
        if member.points < item.price or item.stock < 1:
            raise HTTPException(409)
        member.points -= item.price
        item.stock -= 1
        made = Redemption(member_id=member.id, item_id=item.id)
        opened.add_all([made, Entry(member_id=member.id, points=-item.price)])
        opened.commit()
        return {"id": made.id, "points": member.points}


@app.post("/join")
def join(wanted: Join) -> dict[str, int]:
    """A seat in a group that is not full."""
    with Session(engine) as opened:
        team = opened.get(Team, wanted.team, with_for_update=True)
        if team is None:
            raise HTTPException(404)
        taken = opened.scalar(select(func.count()).select_from(Seat).where(Seat.team_id == team.id)) or 0
        if taken >= team.size:
            raise HTTPException(409)
        seat = Seat(team_id=team.id, member_id=wanted.member, number=wanted.number)
        opened.add(seat)
        opened.commit()
        return {"id": seat.id, "left": team.size - taken - 1}


@app.post("/draw")
def draw(wanted: Draw) -> dict[str, int]:
    """One of the prizes that are left, by weight."""
    with Session(engine) as opened:
        box = opened.get(Box, wanted.box, with_for_update=True)
        if box is None or box.member_id != wanted.member:
            raise HTTPException(404)
        if box.prize_id is not None:
            raise HTTPException(409)
        prizes = opened.scalars(select(Prize).where(Prize.left > 0).order_by(Prize.id).with_for_update()).all()
        point = secrets.randbelow(sum(prize.weight for prize in prizes))
        for prize in prizes:
            point -= prize.weight
            if point < 0:
                prize.left -= 1
                box.prize_id = prize.id
                break
        opened.commit()
        return {"prize": box.prize_id or 0}
