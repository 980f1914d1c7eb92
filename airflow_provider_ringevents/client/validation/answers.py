"""Answers to the registration questions of a ticket, checked against the questions before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from airflow_provider_ringevents.client.validation.identifiers import is_valid_identifier

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


class QuestionIndex:
    """The registration questions of one ticket or of several, by id and by name.

    Questions whose id no request can name are left out. A question that several tickets have counts once.

    :param questions: the rows of ``list_bank_questions``.
    """

    def __init__(self, questions: Iterable[Mapping[str, Any]]) -> None:
        distinct = dict.fromkeys(_flatten(questions))
        self._names = [question.name for question in distinct]
        self._by_id: dict[str, list[_Question]] = {}
        self._by_name: dict[str, list[_Question]] = {}
        for question in distinct:
            self._by_id.setdefault(question.id, []).append(question)
            self._by_name.setdefault(_folded(question.name), []).append(question)

    def resolve(self, answers: Mapping[str, Answer], place: str = "answers[{!r}]") -> list[dict[str, Any]]:
        """Return the answers as the attribute ``answers`` of a request has them.

        :param answers: the name or the id of a question -> the answer; several options are a list.
        :param place: the name of one answer in errors, a format of its key.
        :raises RingEventsConfigError: with every answer that fits no question, or is not among the question's options.
            No message repeats an answer, which may be personal data.
        """
        problems: list[RingEventsConfigError] = []
        resolved: dict[str, dict[str, Any]] = {}
        for key, answer in answers.items():
            parameter = place.format(key)
            try:
                check_question_key(parameter, key)
                question = self._find(parameter, key)
                _check_answer(parameter, answer, question.options)
                if question.id in resolved:
                    raise invalid_argument(parameter, "the only answer to its question, which is given twice")
            except RingEventsConfigError as error:
                problems.append(error)
                continue
            value = answer if isinstance(answer, str) else list(answer)
            resolved[question.id] = {"questionId": question.id, "answer": value}
        if problems:
            raise combine_errors(f"answers: {len(problems)} answers do not fit the questions of the ticket", problems)
        return list(resolved.values())

    def _find(self, parameter: str, key: str) -> _Question:
        found = self._by_id.get(key)
        if found and len(found) > 1:
            raise invalid_argument(
                parameter, "the id of one question; the service gives it to a question and to a child of one"
            )
        found = found or self._by_name.get(_folded(key), [])
        if len(found) == 1:
            return found[0]
        if found:
            ids = list_texts(clean_text(question.id) for question in found)
            raise invalid_argument(parameter, f"the id of a question, since several have this name: {ids}")
        close = closest_matches(key, self._names)
        listed = f"The ticket asks: {_quoted(self._names)}." if self._names else "The ticket asks nothing."
        hint = f"Did you mean {' or '.join(repr(clean_text(name)) for name in close)}?" if close else listed
        raise invalid_argument(parameter, "the name or the id of a question of the ticket", hint=hint)


@dataclass(frozen=True, slots=True)
class _Question:
    """A question that can be answered.

    :ivar parent: the id of the question whose child it is, or None. The reference gives children integers for ids and
        the others texts, so that one of each may be written alike.
    """

    id: str
    name: str
    options: tuple[str, ...]
    parent: str | None


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


def _flatten(questions: Iterable[Mapping[str, Any]]) -> Iterator[_Question]:
    """Yield every question, and after it its children."""
    for question in questions:
        children = question.get("childQuestions")
        parent = None
        for each in (question, *(children if isinstance(children, list) else ())):
            if not isinstance(each, Mapping) or not is_valid_identifier(identifier := str(each.get("id"))):
                continue
            options = each.get("options")
            names = tuple(
                str(option.get("name"))
                for option in (options if isinstance(options, list) else ())
                if isinstance(option, Mapping) and option.get("name") is not None
            )
            if each.get("id") is not None:
                yield _Question(identifier, str(each.get("name") or ""), names, parent)
            if each is question:
                parent = identifier


def _check_answer(place: str, answer: Any, options: Sequence[str]) -> None:
    check_answer_type(place, answer)
    given = [answer] if isinstance(answer, str) else list(answer)
    if options and not set(given) <= set(options):
        raise invalid_argument(place, f"among the options of the question, {_quoted(options)}")


def _quoted(names: Sequence[str]) -> str:
    return list_texts(repr(clean_text(name)) for name in names)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
