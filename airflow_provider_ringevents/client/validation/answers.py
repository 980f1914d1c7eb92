"""Answers to the registration questions of a ticket, checked against the questions before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from airflow_provider_ringevents.client.errors import (
    RingEventsConfigError,
    RingEventsTransferError,
    combine_errors,
    invalid_argument,
)
from airflow_provider_ringevents.client.transport.redaction import clean_text, list_texts
from airflow_provider_ringevents.client.types import closest_matches

Answer = str | Sequence[str]

MAX_QUESTIONS: Final = 10_000
"""Questions of a ticket, and tickets of an event: a list that is longer is invented."""


def collect_bounded(operation: str, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows of a list whose answers are resolved.

    :param operation: the list, for the error.
    :raises RingEventsTransferError: it has more than 10,000 rows.
    """
    found = list(islice(rows, MAX_QUESTIONS + 1))
    if len(found) > MAX_QUESTIONS:
        error = RingEventsTransferError(f"{operation}: the list has more than {MAX_QUESTIONS:,} rows")
        error.retryable = False
        raise error
    return found


def resolve_answers(
    answers: Mapping[str, Answer], questions: Sequence[Mapping[str, Any]], parameter: str = "answers"
) -> list[dict[str, Any]]:
    """Return the answers as the attribute ``answers`` of a request has them.

    :param answers: the name or the id of a question -> the answer; several options are a list.
    :param questions: the rows of ``list_bank_questions``.
    :param parameter: the name of the argument, for errors.
    :raises RingEventsConfigError: with every answer that fits no question, or is not among the question's options. No
        message repeats an answer, which may be personal data.
    """
    known = list(_flatten(questions))
    problems: list[RingEventsConfigError] = []
    resolved: dict[str, dict[str, Any]] = {}
    for key, answer in answers.items():
        place = f"{parameter}[{key!r}]"
        try:
            check_question_key(place, key)
            identifier, options = _find_question(place, key, known)
            _check_answer(place, answer, options)
            if identifier in resolved:
                raise invalid_argument(place, "the only answer to its question, which is given twice")
        except RingEventsConfigError as error:
            problems.append(error)
            continue
        value = answer if isinstance(answer, str) else list(answer)
        resolved[identifier] = {"questionId": identifier, "answer": value}
    if problems:
        raise combine_errors(f"{parameter}: {len(problems)} answers do not fit the questions of the ticket", problems)
    return list(resolved.values())


def check_question_key(parameter: str, key: Any) -> None:
    """Require the name or the id of a question.

    :raises RingEventsConfigError: it is not a string, or blank.
    """
    if not isinstance(key, str) or not key.strip():
        kind = "blank text" if isinstance(key, str) else type(key).__name__
        raise invalid_argument(parameter, f"named by the name or the id of a question, not by {kind}")


def check_answer_type(parameter: str, answer: Any) -> None:
    """Require a string or a list of strings.

    :raises RingEventsConfigError: it is something else; the message does not repeat it.
    """
    if isinstance(answer, str):
        return
    if not isinstance(answer, (list, tuple)) or not all(isinstance(item, str) for item in answer):
        raise invalid_argument(parameter, f"a string or a list of strings, not {type(answer).__name__}")


def _flatten(questions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield id, name and options of every question; the children of a question are named as it is, but differ."""
    for question in questions:
        children = question.get("childQuestions")
        for each in (question, *(children if isinstance(children, list) else ())):
            if isinstance(each, Mapping) and each.get("id") is not None:
                options = each.get("options")
                names = [
                    str(option.get("name"))
                    for option in (options if isinstance(options, list) else ())
                    if isinstance(option, Mapping) and option.get("name") is not None
                ]
                yield str(each["id"]), str(each.get("name") or ""), names


def _find_question(place: str, key: str, known: Sequence[tuple[str, str, list[str]]]) -> tuple[str, list[str]]:
    for identifier, _, options in known:
        if identifier == key:
            return identifier, options
    found = [(identifier, options) for identifier, name, options in known if _folded(name) == _folded(key)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = list_texts(clean_text(identifier) for identifier, _ in found)
        raise invalid_argument(place, f"the id of a question, since several have this name: {ids}")
    names = [name for _, name, _ in known]
    close = closest_matches(str(key), names)
    listed = f"The ticket asks: {_quoted(names)}." if names else "The ticket asks nothing."
    hint = f"Did you mean {' or '.join(repr(clean_text(name)) for name in close)}?" if close else listed
    raise invalid_argument(place, "the name or the id of a question of the ticket", hint=hint)


def _check_answer(place: str, answer: Any, options: Sequence[str]) -> None:
    check_answer_type(place, answer)
    given = [answer] if isinstance(answer, str) else list(answer)
    if options and not set(given) <= set(options):
        raise invalid_argument(place, f"among the options of the question, {_quoted(options)}")


def _quoted(names: Sequence[str]) -> str:
    return list_texts(repr(clean_text(name)) for name in names)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
