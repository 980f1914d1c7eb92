"""The registration questions of an event, and the answers that a registration shows.

All tickets of an event have the same questions, as in the question bank of the web application.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from airflow_provider_ringevents.emulator.api.errors import ApiError, ErrorEntry
from airflow_provider_ringevents.emulator.backend import sample_data
from airflow_provider_ringevents.emulator.backend.ids import Ids, ResourceType

CHILD_NAME: Final = "Which diet?"
CHILD_TYPE: Final = "singleSelect"
_CHILD: Final = 4
"""Index of the only child question, in ids and on its own."""
_QUESTIONS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("Company", "singleLineText", ()),
    ("What brings you here?", "multiSelect", sample_data.CHOICES),
    ("Date of birth", "date", ()),
    ("Any diet?", "conditional", ("Yes", "No")),
)


def bank_questions(ids: Ids, event: int) -> list[dict[str, Any]]:
    """Return the attributes of the questions of an event.

    :param event: number of the event.
    """
    child = {
        "id": event * 10 + _CHILD,
        "name": CHILD_NAME,
        "field_type": CHILD_TYPE,
        "defaultAnswer": None,
        "options": _options(sample_data.DIETS),
    }
    return [
        {
            "childQuestions": [child] if kind == "conditional" else [],
            "defaultAnswer": None,
            "fieldType": kind,
            "id": ids.encode(ResourceType.QUESTION, event, index),
            "name": name,
            "options": _options(options) if options else None,
        }
        for index, (name, kind, options) in enumerate(_QUESTIONS)
    ]


def child_id(ids: Ids, event: int) -> str:
    """Return the id under which a registration shows the answer to the child question."""
    return ids.encode(ResourceType.QUESTION, event, _CHILD)


def registration_answers(
    questions: Sequence[dict[str, Any]], answers: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the ``customRegistrationFields`` of the answers of a request.

    :raises ApiError: 422 with an entry for every answer that fits no question or is not among its options.
    """
    problems = list(_problems(questions, answers))
    if problems:
        raise ApiError(422, problems)
    given = {answer["questionId"]: answer["answer"] for answer in answers}
    return [
        {
            "id": question["id"],
            "name": question["name"],
            "value": given[question["id"]],
            "type": question["fieldType"],
            "childQuestions": [
                {
                    "id": str(child["id"]),
                    "name": child["name"],
                    "value": given[str(child["id"])],
                    "type": child["field_type"],
                }
                for child in question["childQuestions"]
                if str(child["id"]) in given
            ]
            or None,
        }
        for question in questions
        if question["id"] in given
    ]


def _problems(questions: Sequence[dict[str, Any]], answers: Sequence[dict[str, Any]]) -> Iterator[ErrorEntry]:
    every = {question["id"]: question for question in questions}
    every |= {str(child["id"]): child for question in questions for child in question["childQuestions"]}
    for index, answer in enumerate(answers):
        pointer = f"/data/attributes/answers/{index}"
        question = every.get(answer["questionId"])
        if question is None:
            yield ErrorEntry("is not a question of the ticket", pointer=f"{pointer}/questionId")
            continue
        options = [option["name"] for option in question["options"] or ()]
        given = [answer["answer"]] if isinstance(answer["answer"], str) else answer["answer"]
        if options and not set(given) <= set(options):
            yield ErrorEntry(f"must be among {', '.join(options)}", pointer=f"{pointer}/answer")


def _options(names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"id": number, "name": name, "seq": str(number), "defaultAnswer": None} for number, name in enumerate(names, 1)
    ]
