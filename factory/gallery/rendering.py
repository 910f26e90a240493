"""Rendering of pages from templates; all values are escaped."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from chatgenimage.factory.commands import spell
from chatgenimage.factory.gallery.progress import sum_steps
from chatgenimage.factory.progress.live_view import format_worker
from chatgenimage.factory.settings.arguments import MAX_ID

FOLDER = Path(__file__).parent
CRISP_PX = 256
"""Images up to this size are scaled up pixel by pixel."""
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


class Renderer:
    """The templates of the gallery."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "moment": format_time,
            "iso": to_iso,
            "span": format_span,
            "share": format_share,
            "steps": sum_steps,
            "worker": format_worker,
            "sum_values": lambda counts: sum(counts.values()),
            "query": lambda asked: f"?{urlencode(asked)}",
            "spaced": lambda name: str(name).replace("_", " "),
        }
        self._environment.globals |= {"crisp_px": CRISP_PX, "max_id": MAX_ID, "spell": spell}

    def page(self, template: str, status: int = 200, **values: object) -> HTMLResponse:
        """Return a page."""
        text = self._environment.get_template(template).render(**values)
        return HTMLResponse(text, status)


def format_time(epoch_s: float) -> str:
    """Return a time as text, in the time zone of this machine."""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def to_iso(epoch_s: float) -> str:
    """Return a time in ISO 8601."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds")


def format_span(duration_s: float) -> str:
    """Return a duration in its two largest units."""
    seconds = max(round(duration_s), 0)
    if seconds < MINUTE_S:
        return f"{seconds} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S} min {seconds % MINUTE_S} s"
    if seconds < DAY_S:
        return f"{seconds // HOUR_S} h {seconds % HOUR_S // MINUTE_S} min"
    return f"{seconds // DAY_S} d {seconds % DAY_S // HOUR_S} h"


def format_share(part: float, whole: float) -> str:
    """Return a share in percent; a dash if `whole` is 0."""
    return f"{part / whole:.0%}" if whole else "-"
