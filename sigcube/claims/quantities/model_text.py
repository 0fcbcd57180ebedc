"""A model in words, so that its value can be checked by hand: its formulas, and what it puts into them."""

from collections.abc import Collection, Mapping, Set
from types import MappingProxyType

from sigcube.constants import CONSTANTS
from sigcube.kernels import find
from sigcube.model.frames import FRAMES
from sigcube.model.record import PREVIOUS, Definition, Frame, KernelRecord, Reduction, inputs_of

__all__ = ["constants_text", "model_text"]

# The units of the constants, and where the papers print them.
_CONSTANTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "c": ("m/s", "SI §2"),
        "H0": ("1/s", "SI §2"),
        "G": ("m3/kg/s2", "SI §2"),
        "Msun": ("kg", "SI §2"),
        "kpc": ("m", "SI §2"),
        "AU": ("m", "printed nowhere"),
        "G_galactic": ("kpc (km/s)2/Msun", "printed nowhere"),
        "g_dagger": ("m/s2", "c H0/(4√π), main §2.10"),
    }
)


def model_text(
    kernel: str,
    settings: Mapping[str, str | float],
    *,
    kind: str,
    term: str = "predicted",
    free: Collection[str] = (),
) -> dict[str, str]:
    """Return the formulas behind a term, the labels chosen, and the parameters and constants that enter.

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
    rounding = str(given.get("constants", "paper"))
    constants = CONSTANTS[rounding]
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
        "constants": constants_text(entering - {*names, *parameters}, rounding),
    }


def constants_text(names: Set[str], rounding: str = "paper") -> str:
    """Write those of the names that are physical constants, with their values and where these are from.

    Examples
    --------
    >>> constants_text({"AU", "G", "c"})
    'c = 2.998e+08 m/s (SI §2), G = 6.674e-11 m3/kg/s2 (SI §2), AU = 1.496e+11 m (printed nowhere)'
    """
    constants = CONSTANTS[rounding]
    return ", ".join(
        f"{name} = {getattr(constants, name):.6g} {unit} ({source if rounding == 'paper' else 'CODATA 2018, IAU 2015'})"
        for name, (unit, source) in _CONSTANTS.items()
        if name in names
    )


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
