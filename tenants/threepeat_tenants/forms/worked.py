"""What settings come to, as the plugin says in examples."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import structlog

from threepeat.sdk.collections import ItemModel
from threepeat.sdk.settings import PluginSettings
from threepeat_tenants.forms.surroundings import Surroundings

MOST_EXAMPLES = 10
LONGEST_EXAMPLE = 500

logger = structlog.get_logger(__name__)


def examples(
    model: type[PluginSettings] | type[ItemModel], values: Mapping[str, Any], around: Surroundings
) -> tuple[str, ...]:
    """The examples for values that are stored or were just typed, in the reader's language.

    A plugin that fails here costs its examples and nothing else; values that do not fit give none.

    Args:
        values: As the API takes them; secrets may be left out.
    """
    try:
        said = list(islice(model.model_validate(values).worked(around.store), MOST_EXAMPLES))
        return tuple(around.translate(one)[:LONGEST_EXAMPLE] for one in said)
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        logger.info("no examples", model=model.__name__, reason=type(error).__name__)
        return ()
