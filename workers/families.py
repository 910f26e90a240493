"""Settings classes of all families: those of the factory itself, then those of plug-ins."""

from typing import TYPE_CHECKING, Annotated, Any, Union, get_args

from pydantic import BaseModel, Field

from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.plugins import Plugin, load_plugins

OWN_FAMILIES: dict[str, type[BaseModel]] = {
    config.model_fields["family"].default: config for config in get_args(get_args(FamilyConfig)[0])
}
LOADS = "loads"
"""Class variable of a plug-in's settings: the family's class, e.g. `package.module:Painter`."""


def _find_problem(name: str, value: Any) -> str | None:  # noqa: ANN401  # code of others
    """Return why a plug-in's settings cannot be used; None: they can."""
    if not (isinstance(value, type) and issubclass(value, BaseModel)):
        return "expected a settings class, a frozen pydantic model"
    field = value.model_fields.get("family")
    if field is None or get_args(field.annotation) != (name,) or field.default != name:
        return f'expected the field `family: Literal["{name}"] = "{name}"` in {value.__name__}'
    if not value.model_config.get("frozen"):
        return f"expected that {value.__name__} is frozen: ConfigDict(frozen=True)"
    module, colon, attribute = str(getattr(value, LOADS, "")).partition(":")
    if not (module and colon and attribute):
        return f'expected `{LOADS}: ClassVar[str] = "package.module:Class"` in {value.__name__}'
    return None


FAMILY_PLUGINS = load_plugins("families", OWN_FAMILIES, _find_problem)
FAMILY_CLASSES: dict[str, type[BaseModel]] = OWN_FAMILIES | {
    name: each.value for name, each in FAMILY_PLUGINS.found.items()
}
"""Settings class of each family, by its name."""

if TYPE_CHECKING:
    AnyFamilyConfig = FamilyConfig  # plug-ins are not known to a type checker
else:
    AnyFamilyConfig = Annotated[
        Union[tuple(FAMILY_CLASSES.values())],  # noqa: UP007  # of any number
        Field(discriminator="family"),
    ]


def find_plugin(config: BaseModel) -> Plugin | None:
    """Return the plug-in that offers a family; None: the factory itself does."""
    if not hasattr(type(config), LOADS):
        return None
    return FAMILY_PLUGINS.found.get(type(config).model_fields["family"].default)
