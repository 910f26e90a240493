"""Check that the models of a profile know the labels, before anything is written."""

from collections.abc import Sequence

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.label_files import shorten
from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.errors import UnknownWord
from chatgenimage.workers.llm.rules import Rules
from chatgenimage.workers.vocabulary import list_unreadable
from chatgenimage.workers.weights_config import DetectorConfig


def refuse_unknown_words(settings: Settings, labels: Sequence[str]) -> None:
    """Check the labels against the offline rule book; other language models know all words.

    Raises:
        BadLabels: If the profile's rule book does not know a word; lists the words it knows.
    """
    config = settings.families.get("language")
    if not isinstance(config, RulesConfig):
        return
    rules = Rules.load(config)
    problems = []
    for label in labels:
        try:
            rules.describe_features(label, seed=0)
        except UnknownWord as error:
            problems.append(str(error))
    if problems:
        raise BadLabels(problems)


def refuse_unreadable(settings: Settings, labels: Sequence[str]) -> None:
    """Check the labels against the detector's vocabulary: others could never be found.

    Nothing is checked where the checkpoint is not on this machine.

    Raises:
        BadLabels: If the detector cannot read a label.
    """
    problems = [
        f"label {shorten(label)}: the detector ({key}: {family.checkpoint}) cannot read it, so it "
        "would never be found; write an English word for it, or use a checkpoint that knows it."
        for key, family in settings.families.items()
        if isinstance(family, DetectorConfig)
        for label in list_unreadable(family, labels)
    ]
    if problems:
        raise BadLabels(problems)
