"""Check that a profile knows the labels, before anything is written."""

from collections.abc import Sequence

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.settings.model import Settings
from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.errors import UnknownWord
from chatgenimage.workers.llm.rules import Rules


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
