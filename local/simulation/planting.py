"""How a bug is planted: something of the application is another thing for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

Plant = Callable[[], Any]


@contextmanager
def planted(*places: tuple[Any, str, Any]) -> Iterator[None]:
    """Each (thing, name of its attribute, what it is meanwhile)."""
    with ExitStack() as stack:
        for thing, name, value in places:
            stack.enter_context(patch.object(thing, name, value))
        yield
