"""Averages of earlier runs with the same models, from the database that the settings name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from chatgenimage.db.run_times import (
    MeanTime,
    MeanTokens,
    accepted_shares,
    mean_times,
    mean_tokens,
)
from chatgenimage.db.session import connect, find_revision, reading
from chatgenimage.factory.checkpoints.trial_times import TrialTime
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import models_key


@dataclass(frozen=True, slots=True)
class EarlierRuns:
    """Averages of earlier runs with the same models in this database; may be empty.

    Attributes:
        times: By step.
        shares: Accepted share by origin.
        tokens: By kind of question.
        trials: Times of `factory models check`, by the models' names in the profile.
        lacks_search: Whether all classes of a run are to be looked for on each image, and the times
            are of runs that looked for an image's own label.
    """

    times: Mapping[str, MeanTime]
    shares: Mapping[str, float]
    tokens: Mapping[str, MeanTokens]
    trials: Mapping[str, TrialTime] = field(default_factory=dict)
    lacks_search: bool = False


def average_earlier_runs(settings: Settings) -> EarlierRuns:
    """Return the averages of earlier runs; empty if there is no database that has them.

    A database of an earlier version is read as it is, and not brought up to date.
    """
    url = make_url(settings.resolved_database_url())
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return EarlierRuns({}, {}, {})
    sessions, key = connect(settings.resolved_database_url()), models_key(settings)
    if find_revision(sessions) is None:
        return EarlierRuns({}, {}, {})
    try:
        with reading(sessions) as session:
            times = mean_times(session, key)
            alike = mean_times(session, key, settings.chain.search_for).get("label")
            if alike is not None:
                times["label"] = alike
            return EarlierRuns(
                times,
                accepted_shares(session, key),
                mean_tokens(session, key),
                lacks_search=settings.chain.search_for == "run" and alike is None,
            )
    except DBAPIError:  # it lacks a column that is read here
        return EarlierRuns({}, {}, {})
