"""Visits by the day."""

from datetime import date

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import TenantOwned


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `tally`."""

    metadata = MetaData(schema="tally")


class Visits(Base):
    """How many visits a day saw."""

    __tablename__ = "visits"

    day: Mapped[date] = mapped_column(primary_key=True)
    visits: Mapped[int]
    members: Mapped[int]
