import pytest
import torch
from torchvision.models import get_weight
from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrImageProcessor
from transformers.models.rt_detr.configuration_rt_detr_resnet import RTDetrResNetConfig

from chatgenimage.factory.errors import SettingsError, TrainingFailed
from chatgenimage.factory.gain.interfaces import TrainingPlan
from chatgenimage.factory.gain.metrics import score_predictions
from chatgenimage.factory.gain.trainers.class_trainer import CLASS_MODELS
from chatgenimage.factory.gain.trainers.object_trainer import OBJECT_MODELS
from chatgenimage.factory.gain.trainers.registry import make_trainer
from chatgenimage.factory.gain.trainers.training_loop import Examples, Recipe, fit
from chatgenimage.factory.gain.trainers.weights import load_weights
from chatgenimage.factory.gain.values import Augmentation, Task
from tests.factory.gain.pictures import CLASSES, SIDE_PX, pictures

SMALL = (Task.CLASSIFY, Task.DETECT, Task.SEGMENT)
PLAN = TrainingPlan(seed=0, steps=3, batch_size=2)


def labelled_for(task, images):
    """Return images with the labels of a task alone, as the guards do it."""
    from chatgenimage.factory.gain.guards import guard
    from chatgenimage.factory.gain.sets import ImageSets

    _, sets = guard(ImageSets(tuple(images), (), tuple(pictures(4, seed=9))), task)
    return sets.real


def network_of(trained):
    """Return the network of a trained model."""
    return trained.model


def state_of(trained):
    """Return the tensors of a trained model."""
    return network_of(trained).state_dict()


@pytest.mark.parametrize("task", SMALL)
@pytest.mark.parametrize("augment", Augmentation)
def test_a_small_model_trains_and_predicts_in_pixels_of_the_image(task, augment):
    images = labelled_for(task, pictures(4, seed=1))
    plan = TrainingPlan(seed=0, steps=3, batch_size=2, augment=augment)
    model = make_trainer(task, SIDE_PX).train(images, CLASSES, plan)
    predictions = model.predict(images)
    assert len(predictions) == 4
    for prediction in predictions:
        if task is Task.CLASSIFY:
            assert prediction.label in CLASSES
        for known in prediction.objects:
            x_min, y_min, x_max, y_max = known.box_xyxy
            assert 0 <= x_min <= x_max <= SIDE_PX
            assert 0 <= y_min <= y_max <= SIDE_PX
            assert (known.rle is not None) == (task is Task.SEGMENT)
    assert score_predictions(task, images, predictions, CLASSES)


def test_a_seed_gives_every_arm_the_same_start_and_equal_trainings_equal_models():
    images = labelled_for(Task.CLASSIFY, pictures(6, seed=1))
    trainer = make_trainer(Task.CLASSIFY, SIDE_PX)
    still = Recipe(learning_rate=0.0)
    starts = []
    for some, augment in ((images[:2], Augmentation.NONE), (images, Augmentation.STRONG)):
        plan = TrainingPlan(seed=5, steps=2, augment=augment)
        torch.manual_seed(plan.seed)
        network = CLASS_MODELS["small-classes"].build(2)
        starts.append(fit(network, Examples(some, CLASSES), _no_loss, still, plan).state_dict())
    assert all(torch.equal(starts[0][key], starts[1][key]) for key in starts[0])
    twice = [state_of(trainer.train(images, CLASSES, PLAN)) for _ in range(2)]
    assert all(torch.equal(twice[0][key], twice[1][key]) for key in twice[0])
    other = trainer.train(images, CLASSES, TrainingPlan(seed=1, steps=3, batch_size=2))
    assert not torch.equal(state_of(other)["0.weight"], twice[0]["0.weight"])


def test_images_without_objects_are_background():
    images = labelled_for(Task.DETECT, pictures(4, seed=1))
    model = make_trainer(Task.DETECT, SIDE_PX).train(images, ("disc",), PLAN)
    labels = {known.label for one in model.predict(images) for known in one.objects}
    assert labels <= {"disc"}


@pytest.mark.parametrize("name", ["resnet18", "mobilenet"])
def test_weights_of_a_file_are_the_start(name, tmp_path):
    kind = CLASS_MODELS[name]
    torch.manual_seed(7)
    state = kind.build(1000).state_dict()
    torch.save({"model": state}, tmp_path / "trained.pth")
    model = kind.build(2)
    load_weights(model, str(tmp_path / "trained.pth"), kind.published)
    heads = [key for key, value in model.state_dict().items() if not torch.equal(value, state[key])]
    assert len(heads) == 2  # the weight and the bias of the last layer
    trainer = make_trainer(Task.CLASSIFY, SIDE_PX, name, str(tmp_path / "trained.pth"), 64)
    before = trainer.identity
    torch.save({"model": kind.build(1000).state_dict()}, tmp_path / "trained.pth")
    assert trainer.identity != before


def test_weights_of_another_model_and_of_no_model_are_refused(tmp_path):
    images = labelled_for(Task.CLASSIFY, pictures(4, seed=1))
    torch.save(CLASS_MODELS["mobilenet"].build(2).state_dict(), tmp_path / "other.pth")
    (tmp_path / "none.safetensors").write_bytes(b"nothing")
    for name, problem in (
        ("other.pth", "It is of another model; choose the --trainer"),
        ("none.safetensors", "not a file of weights"),
    ):
        trainer = make_trainer(Task.CLASSIFY, SIDE_PX, "resnet18", str(tmp_path / name), 64)
        with pytest.raises(SettingsError, match=problem):
            trainer.train(images, CLASSES, PLAN)


def test_large_models_start_with_torchvisions_weights_and_fixed_batch_norm(tmp_path):
    images = labelled_for(Task.DETECT, pictures(2, seed=1))
    assert make_trainer(Task.DETECT, 640).identity["weights"] == "torchvision"
    kind = OBJECT_MODELS["fasterrcnn"]
    torch.save(kind.build(90, 64).state_dict(), tmp_path / "trained.pth")
    trainer = make_trainer(Task.DETECT, 64, "fasterrcnn", str(tmp_path / "trained.pth"), 64)
    model = trainer.train(images, CLASSES, TrainingPlan(seed=0, steps=2, batch_size=1))
    assert not [one for one in network_of(model).modules() if isinstance(one, torch.nn.BatchNorm2d)]


@pytest.mark.parametrize("name", OBJECT_MODELS)
def test_every_model_for_objects_can_be_built(name):
    kind = OBJECT_MODELS[name]
    with torch.device("meta"):  # no memory, no random numbers
        model = kind.build(3, kind.image_size_px)
    head = model.roi_heads.box_predictor.cls_score if hasattr(model, "roi_heads") else None
    classes = model.head.classification_head.num_classes if head is None else head.out_features
    assert classes == 4  # and the background
    assert hasattr(model, "roi_heads") or kind.task is Task.DETECT


def test_torchvision_has_the_weights_that_are_named():
    kinds = [*OBJECT_MODELS.values()], [*CLASS_MODELS.values()]
    for name in [kind.published for some in kinds for kind in some]:
        assert not name or get_weight(name).url


def test_pictures_are_kept_in_memory_while_they_fit():
    images = labelled_for(Task.CLASSIFY, pictures(4, seed=1))
    assert Examples(images, CLASSES).fit_into_memory()
    few = Examples(images, CLASSES, cache_bytes=3 * 3 * SIDE_PX**2)
    assert not few.fit_into_memory()
    assert torch.equal(few[3][0], Examples(images, CLASSES)[3][0])


def test_a_detector_of_transformers_trains_from_a_folder(tmp_path):
    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[16, 16, 16],
        encoder_layers=1, encoder_ffn_dim=16, encoder_attention_heads=2, feat_strides=[8, 16, 32],
        d_model=16, num_queries=10, decoder_in_channels=[16, 16, 16], decoder_ffn_dim=16,
        decoder_layers=2, decoder_attention_heads=2, num_denoising=0, num_labels=80,
    )  # fmt: skip
    RTDetrForObjectDetection(config).save_pretrained(tmp_path)
    RTDetrImageProcessor(size={"height": 64, "width": 64}).save_pretrained(tmp_path)
    trainer = make_trainer(Task.DETECT, SIDE_PX, "transformers", str(tmp_path))
    images = labelled_for(Task.DETECT, pictures(4, seed=1))
    predictions = trainer.train(images, CLASSES, PLAN).predict(images)
    assert {known.label for one in predictions for known in one.objects} <= set(CLASSES)
    assert score_predictions(Task.DETECT, images, predictions, CLASSES)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SettingsError, match="no object detector of transformers"):
        trainer.train(images, CLASSES, PLAN)


def test_a_loss_that_is_no_number_ends_the_training():
    images = labelled_for(Task.CLASSIFY, pictures(4, seed=1))

    def infinite(model, batch, device):
        return model(torch.zeros(1, 3, 8, 8)).sum() * float("inf")

    network = CLASS_MODELS["small-classes"].build(2)
    with pytest.raises(TrainingFailed, match="with seed 0: the training diverged"):
        fit(network, Examples(images, CLASSES), infinite, Recipe(1e-3), PLAN)


def _no_loss(model, batch, device):
    return model(torch.zeros(1, 3, 8, 8)).sum()
