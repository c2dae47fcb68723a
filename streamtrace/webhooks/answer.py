"""What a receiver's answer means, or that there was none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from streamtrace.webhooks.schedule import DAY_S

MAY_SAY_WHEN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
LONGEST_WAIT_S = DAY_S  # that a receiver may ask for
# What a receiver that is well says of one event. Not so 400, 403 or 404: a wrong secret, path or
# proxy answers everything by them.
OF_THE_EVENT = (
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


class Kind(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"  # the receiver wants nothing any more


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one attempt; `said` is for people, and holds nothing that the receiver wrote."""

    kind: Kind
    said: str
    status: int | None = None
    wait_s: float = 0.0  # the receiver asks for so much patience

    @property
    def is_of_the_event(self) -> bool:
        """Whether it speaks against this event alone: the receiver is there, and takes others."""
        return self.kind is Kind.FAILED and self.status in OF_THE_EVENT


def judged(status: int, retry_after: str | None, now: datetime) -> Outcome:
    """2xx has taken it, 410 wants no more, and everything else is tried again."""
    said = f"HTTP {status}"
    if 200 <= status < 300:
        return Outcome(Kind.DELIVERED, said, status)
    if status == HTTPStatus.GONE:
        return Outcome(Kind.GONE, said, status)
    if 300 <= status < 400:
        return Outcome(Kind.FAILED, f"{said}: redirects are not followed", status)
    wait_s = _wait_s(retry_after, now) if status in MAY_SAY_WHEN else 0.0
    return Outcome(Kind.FAILED, said, status, wait_s)


def unanswered(why: str) -> Outcome:
    """Nobody was reached, or nobody answered."""
    return Outcome(Kind.FAILED, why)


def _wait_s(retry_after: str | None, now: datetime) -> float:
    """Seconds, or a date (RFC 9110); what is neither says nothing."""
    given = (retry_after or "").strip()
    if given.isascii() and given.isdigit():
        return min(float(given[:12]), LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(given)
    except (ValueError, OverflowError):  # a year of 20 digits
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), LONGEST_WAIT_S)
