"""Boots of the machine that uses a SQLite database."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from chatgenimage.db.models.base import Base


class Boot(Base):
    """When a boot of the machine began, which `db.clock` reads; PostgreSQL has a clock itself."""

    __tablename__ = "clock"

    boot: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Its id in hexadecimal."""
    booted_at: Mapped[float]
    """Epoch seconds."""
