"""A policy file's expressions in short words, for people who check the policy.

The words stay close to the file: what is asked, in which value sets, with which numbers. Numbers
stand with their unit, so that a reader need not look a parameter up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cds_service.evaluation import number
from cds_service.terminology import Parameter

COMPARED = {
    "at-most": "at most",
    "at-least": "at least",
    "above": "above",
    "below": "below",
    "equals": "exactly",
}
JOINED = ("all", "any")

Numbers = Mapping[str, Parameter]
Said = Callable[[Any, Numbers], str]


def expression_words(node: Mapping[str, Any], numbers: Numbers) -> str:
    """Return an expression in words; `named` ones are given by name."""
    (word, argument), *_ = node.items()
    said = _SAID.get(word)
    if said:
        return said(argument, numbers)
    return f"{word.replace('-', ' ')} {_arguments(argument, numbers)}"


def _joined(by: str) -> Said:
    return lambda argument, numbers: by.join(_bracketed(inner, numbers) for inner in argument)


def _not(argument: Any, numbers: Numbers) -> str:
    return f"not {_bracketed(argument, numbers)}"


def _at_least(argument: Any, numbers: Numbers) -> str:
    listed = "; ".join(expression_words(inner, numbers) for inner in argument["of"])
    return f"at least {argument['count']} of ({listed})"


def _named(argument: Any, _numbers: Numbers) -> str:
    return f'"{argument.replace("-", " ")}"'


def _bracketed(node: Mapping[str, Any], numbers: Numbers) -> str:
    words = expression_words(node, numbers)
    return f"({words})" if next(iter(node)) in JOINED else words


def _criterion(argument: Any, _numbers: Numbers) -> str:
    if isinstance(argument, str):
        return f"{argument} met"
    return f"{argument['id']} {argument['is']}"


def _comparison(argument: Mapping[str, Any], numbers: Numbers) -> str:
    sides = [
        f"{words} {amount_words(argument[word], numbers)}"
        for word, words in COMPARED.items()
        if word in argument
    ]
    return f"{amount_words(argument, numbers)} {' and '.join(sides)}"


def amount_words(node: Any, numbers: Numbers) -> str:
    """Return a number, a parameter with its unit, a quantity, or a sum of them in words."""
    if isinstance(node, Mapping):
        words = amount_words(node["of"], numbers)
        words += "".join(f" plus {amount_words(term, numbers)}" for term in node.get("plus", ()))
        words += "".join(f" less {amount_words(term, numbers)}" for term in node.get("minus", ()))
        words += "".join(f" times {amount_words(term, numbers)}" for term in node.get("times", ()))
        caps = [amount_words(term, numbers) for term in node.get("no-more-than", ())]
        return f"{words}, no more than {' or '.join(caps)}" if caps else words
    if isinstance(node, str) and node.startswith("$"):
        return parameter_words(node[1:], numbers)
    return str(node)


def parameter_words(name: str, numbers: Numbers) -> str:
    """Return a parameter's value with its unit."""
    use = numbers.get(name)
    return f"{number(use.value):g} {use.unit}" if use else f"${name}"


def _arguments(argument: Any, numbers: Numbers) -> str:
    if isinstance(argument, Mapping):
        parts = [f"{name}: {_value(value, numbers)}" for name, value in argument.items()]
        return f"[{'; '.join(parts)}]"
    return _value(argument, numbers)


def _value(value: Any, numbers: Numbers) -> str:
    if value is True:
        return "yes"
    if value is False:
        return "no"
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_value(inner, numbers)}" for name, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_value(item, numbers) for item in value)
    return amount_words(value, numbers)


def filled(text: str, numbers: Numbers) -> str:
    """Return words with the parameters inserted; quantities of a record stay in braces."""
    for name, use in numbers.items():
        text = text.replace(f"{{${name}}}", f"{number(use.value):g}")
    return text


_SAID: dict[str, Said] = {
    "all": _joined(" and "),
    "any": _joined(" or "),
    "not": _not,
    "at-least": _at_least,
    "named": _named,
    "criterion": _criterion,
    "always": lambda _argument, _numbers: "always",
    "number": _comparison,
}
