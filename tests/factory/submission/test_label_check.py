import shutil

import pytest

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.label_check import refuse_unreadable
from chatgenimage.workers.weights.local_files import BUNDLED_FOLDER


def settings_with(checkpoint):
    detector = {"checkpoint": str(checkpoint)}
    families = load_settings("micro").families
    [key] = [key for key, family in families.items() if family.family == "grounding_dino"]
    return load_settings("micro", families={key: detector})


def test_a_label_that_the_detector_cannot_read_is_refused_with_what_to_do():
    with pytest.raises(BadLabels, match=r"(?s)'犬': the detector .* cannot read it.*English word"):
        refuse_unreadable(load_settings("micro"), ["dog", "犬"])
    refuse_unreadable(load_settings("micro"), ["Dog", "house"])


def test_a_vocabulary_of_the_older_form_is_read_too(tmp_path):
    shutil.copytree(BUNDLED_FOLDER / "micro" / "grounding_dino", tmp_path / "detector")
    (tmp_path / "detector" / "tokenizer.json").unlink()
    (tmp_path / "detector" / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\ndog\n")
    settings = settings_with(tmp_path / "detector")
    refuse_unreadable(settings, ["dog"])
    with pytest.raises(BadLabels, match="'car'"):
        refuse_unreadable(settings, ["car"])


def test_a_checkpoint_that_is_not_here_yet_is_not_asked(tmp_path):
    refuse_unreadable(settings_with("nobody/has-this"), ["犬"])
