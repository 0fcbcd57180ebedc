"""A model in words, so that its value can be checked by hand: its formulas, and what it puts into them."""

from collections.abc import Collection, Mapping, Set

from sigcube.constants import CONSTANTS
from sigcube.kernels import find
from sigcube.model.frames import FRAMES
from sigcube.model.record import PREVIOUS, Definition, Frame, KernelRecord, Reduction, inputs_of

__all__ = ["model_text"]


def model_text(
    kernel: str,
    settings: Mapping[str, str | float],
    *,
    kind: str,
    term: str = "predicted",
    free: Collection[str] = (),
) -> dict[str, str]:
    """Return the formulas behind a term, the labels chosen, and the parameters that enter, each with its source.

    Parameters
    ----------
    kernel : str
        Its name.
    settings : mapping
        Labels and values that are not the defaults.
    kind : str
        The kind of cube, in whose frame it is.
    term : str
        What is computed.
    free : collection of str
        Parameters that have no one value, as a fit chooses it.

    Examples
    --------
    >>> model_text("mond", {}, kind="landmark", term="boost")["parameters"]
    'a₀ = 1.2e-10 m/s2'
    """
    model, frame = find(kernel), FRAMES.get(kind)
    given: dict[str, str | float] = {**(frame.defaults if frame else {}), **settings}
    names, labels = _definitions(model, frame, given)
    formulas: dict[str, str] = {}
    entering: set[str] = set()
    waiting = [term]
    while waiting:
        name = waiting.pop(0)
        if name in entering:
            continue
        entering.add(name)
        defined = names.get(name)
        if isinstance(defined, str):
            waiting.append(defined)
        elif defined is not None:
            function = defined.function if isinstance(defined, Reduction) else defined
            formulas[name] = (function.__doc__ or "").strip().partition("\n")[0].rstrip(".")
            waiting += (each.removeprefix(PREVIOUS) for each in inputs_of(defined))
    constants = CONSTANTS[str(given.get("constants", "paper"))]
    parameters = {each.name: each for each in (*model.parameters, *(frame.parameters if frame else ()))}
    # What such a cube gives for each point or system is no parameter there.
    measured = frame.measured - given.keys() if frame else frozenset()
    shown = [
        f"{each.symbol} = {float(given.get(name, each.value(constants))):.6g} {each.unit}".strip()
        for name, each in parameters.items()
        if name in entering and name not in {*names, *measured, *free}
    ]
    return {
        "model": f"{model.name}: {model.title} ({model.source})",
        "formulas": "; ".join(f"{name}: {text}" for name, text in formulas.items() if text),
        "labels": ", ".join(text for defined, text in labels if defined & entering),
        "parameters": ", ".join(shown),
    }


def _definitions(
    model: KernelRecord, frame: Frame | None, given: Mapping[str, str | float]
) -> tuple[dict[str, Definition], list[tuple[Set[str], str]]]:
    """Return what each name stands for under the labels, and those labels in words with what they define."""
    names: dict[str, Definition] = {**(frame.terms if frame else {}), **model.terms}
    labels: list[tuple[Set[str], str]] = []
    for choice in (*model.choices, *(frame.choices if frame else ())):
        label = str(given.get(choice.name, choice.default))
        option = choice.options[label]
        names |= option.defines
        labels.append((option.defines.keys(), f"{choice.name} {label}: {option.description}"))
    return names, labels
