"""Numbers of the classes in exports."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from chatgenimage.db.models.base import Base


class ClassNumber(Base):
    """The number of a class in every export; rows are only added, from 0 without a gap."""

    __tablename__ = "class_number"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(200), unique=True)
