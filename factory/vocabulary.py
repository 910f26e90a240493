"""Which words a profile can speak of: told before anything is written."""

from collections.abc import Sequence

from factory.errors import BadLabels
from factory.settings import Settings
from workers.config import RulesConfig
from workers.errors import UnknownWord
from workers.rules import Rules


def refuse_unknown_words(settings: Settings, labels: Sequence[str]) -> None:
    """Check the labels against the offline rule book; other language models know any word.

    Raises:
        BadLabels: If the profile's rule book does not know a word; names those it knows.
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
