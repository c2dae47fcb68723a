"""An alert among people: who may do what to it, and the entry that every change leaves behind.

    new -> acknowledged -> escalated | dismissed | resolved;  escalated -> dismissed | resolved

Nothing here keeps anything: a transition takes an alert and gives the next one with its audit
entry, or refuses. Whoever stores both stores them together, and passes the version that the person
saw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from streamtrace.alerts.watch import (
    AlertClosed,
    AlertNews,
    AlertOpened,
    AlertUpdated,
    Finding,
)
from streamtrace.errors import AlertConflict, AlertIncomplete, AlertStale
from streamtrace.events.alerts import (
    MOST_NAME,
    MOST_NOTE,
    Alert,
    AlertAction,
    AlertState,
    AuditEntry,
    Disposition,
)

POLICY = "policy"  # the actor where no person is

# From which states a person may do what, and where it leads; None leaves the state as it is.
WORKFLOW: dict[AlertAction, tuple[frozenset[AlertState], AlertState | None]] = {
    AlertAction.ACK: (frozenset({AlertState.NEW}), AlertState.ACKNOWLEDGED),
    AlertAction.ASSIGN: (
        frozenset({AlertState.NEW, AlertState.ACKNOWLEDGED, AlertState.ESCALATED}),
        None,
    ),
    AlertAction.ESCALATE: (frozenset({AlertState.ACKNOWLEDGED}), AlertState.ESCALATED),
    AlertAction.DISMISS: (
        frozenset({AlertState.ACKNOWLEDGED, AlertState.ESCALATED}),
        AlertState.DISMISSED,
    ),
    AlertAction.RESOLVE: (
        frozenset({AlertState.ACKNOWLEDGED, AlertState.ESCALATED}),
        AlertState.RESOLVED,
    ),
}

# What an alert is acknowledged for, if nobody has done so.
DECIDING = (AlertAction.ESCALATE, AlertAction.DISMISS, AlertAction.RESOLVE)


@dataclass(frozen=True, slots=True)
class Change:
    """The next version of an alert, and the audit entry that belongs to it."""

    alert: Alert
    entry: AuditEntry


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants done; `version` is that of the alert they looked at."""

    action: AlertAction
    actor: str
    version: int
    assignee: str | None = None
    disposition: Disposition | None = None
    note: str | None = None


def opened(news: AlertOpened, at: datetime) -> Change:
    """A new alert; its version is 1."""
    finding = news.finding
    alert = Alert(
        id=finding.alert_id,
        version=1,
        call_id=finding.call_id,
        external_id=finding.external_id,
        line=finding.line,
        leg=finding.leg,
        policy=finding.policy,
        state=AlertState.NEW,
        severity=finding.severity,
        is_withdrawn=False,
        is_call_over=finding.is_call_over,
        assignee=None,
        disposition=None,
        note=None,
        opened_at=at,
        changed_at=at,
        evidence=finding.evidence,
    )
    return Change(alert, _entry(alert, None, AlertAction.OPEN, POLICY, at))


def told(alert: Alert, news: AlertNews, at: datetime) -> Change:
    """More about it from its call.

    What people have taken up, people end: policy closes only an alert that is still new.
    """
    finding: Finding = news.finding
    fell_back = finding.is_withdrawn and not alert.is_withdrawn
    action = AlertAction.WITHDRAW if fell_back else AlertAction.UPDATE
    after = replace(
        alert,
        version=alert.version + 1,
        severity=finding.severity,
        is_withdrawn=finding.is_withdrawn,
        is_call_over=finding.is_call_over,
        changed_at=at,
        evidence=finding.evidence,
    )
    if isinstance(news, AlertClosed) and alert.state is AlertState.NEW:
        action = AlertAction.RESOLVE
        after = replace(
            after,
            state=AlertState.RESOLVED,
            disposition=Disposition.INCONCLUSIVE,
            note="The call ended, and its evidence as a whole no longer held the alert up.",
        )
    return Change(after, _entry(after, alert, action, POLICY, at))


def worked(alert: Alert, wish: Wish, at: datetime) -> Change:
    """What a person does; the alert as it was stays as it was where this is refused.

    AlertStale: somebody was faster. AlertConflict: not from this state. AlertIncomplete: something
    that the action needs is missing.
    """
    if wish.version != alert.version:
        raise AlertStale(
            f"{alert.id}: version {wish.version} was changed meanwhile, it is {alert.version}: "
            "look again, then decide"
        )
    if wish.action not in WORKFLOW:
        raise AlertConflict(f"{alert.id}: {wish.action.value!r} is no action of people")
    begins, ends = WORKFLOW[wish.action]
    if alert.state not in begins:
        wanted = " or ".join(state.value for state in AlertState if state in begins)
        raise AlertConflict(
            f"{alert.id}: cannot {wish.action.value} an alert that is {alert.state.value}: "
            f"it has to be {wanted}"
        )
    _complete(alert, wish)
    closing = ends in (AlertState.DISMISSED, AlertState.RESOLVED)
    after = replace(
        alert,
        version=alert.version + 1,
        state=ends or alert.state,
        assignee=wish.assignee if wish.action is AlertAction.ASSIGN else alert.assignee,
        disposition=wish.disposition if closing else alert.disposition,
        note=wish.note if closing else alert.note,
        changed_at=at,
    )
    return Change(after, _entry(after, alert, wish.action, wish.actor, at, wish.note))


def decided(alert: Alert, wish: Wish, at: datetime) -> list[Change]:
    """`worked`, and where a new alert is decided in one go, its acknowledgement in front.

    So the states are passed through as ever, and the audit says who has seen it.
    """
    if wish.action is AlertAction.PLAY:
        return [played(alert, wish.actor, at)]
    needs_ack = alert.state is AlertState.NEW and wish.action in DECIDING
    if not needs_ack or wish.version != alert.version:
        return [worked(alert, wish, at)]
    seen = worked(alert, Wish(AlertAction.ACK, wish.actor, wish.version), at)
    return [seen, worked(seen.alert, replace(wish, version=seen.alert.version), at)]


def played(alert: Alert, actor: str, at: datetime) -> Change:
    """Its clip is given to a person; whatever its state, and whatever they looked at.

    A version of its own, so that the entry has its place among the others.
    """
    after = replace(alert, version=alert.version + 1)
    _has_actor(alert, AlertAction.PLAY, actor)
    entry = _entry(after, alert, AlertAction.PLAY, actor, at)
    return Change(after, replace(entry, disposition=None, note=None))


def possible(alert: Alert) -> list[AlertAction]:
    """What a person may do to it now."""
    seen = AlertState.ACKNOWLEDGED if alert.state is AlertState.NEW else alert.state
    return [
        action
        for action, (begins, _) in WORKFLOW.items()
        if (seen if action in DECIDING else alert.state) in begins
    ]


def cut_off(alert: Alert, at: datetime) -> Change:
    """Its call ended with a server, and nothing more is known of it."""
    finding = Finding(
        alert_id=alert.id,
        call_id=alert.call_id,
        external_id=alert.external_id,
        line=alert.line,
        leg=alert.leg,
        policy=alert.policy,
        severity=alert.severity,
        is_withdrawn=alert.is_withdrawn,
        is_call_over=True,
        evidence=alert.evidence,
    )
    return told(alert, AlertClosed(finding) if alert.is_withdrawn else AlertUpdated(finding), at)


def _complete(alert: Alert, wish: Wish) -> None:
    """AlertIncomplete names what is missing or too much."""

    def refuse(what: str) -> AlertIncomplete:
        return AlertIncomplete(f"{alert.id}: {wish.action.value}: {what}")

    _has_actor(alert, wish.action, wish.actor)
    if wish.action is AlertAction.ASSIGN and not (wish.assignee or "").strip():
        raise refuse("want an assignee")
    if wish.action is AlertAction.DISMISS and not (wish.note or "").strip():
        raise refuse("want a note that says why")
    if wish.action in (AlertAction.DISMISS, AlertAction.RESOLVE):
        if wish.disposition is None:
            raise refuse(f"want a disposition: {', '.join(each.value for each in Disposition)}")
        if wish.action is AlertAction.DISMISS and wish.disposition is Disposition.TRUE_POSITIVE:
            raise refuse("a true_positive is not dismissed: resolve it")
    if len(wish.note or "") > MOST_NOTE:
        raise refuse(f"want a note of at most {MOST_NOTE} characters, not {len(wish.note or '')}")
    if (length := len(wish.assignee or "")) > MOST_NAME:
        raise refuse(f"want an assignee of at most {MOST_NAME} characters, not {length}")


def _has_actor(alert: Alert, action: AlertAction, actor: str) -> None:
    what = f"{alert.id}: {action.value}: want an actor"
    if not actor.strip():
        raise AlertIncomplete(f"{what}: every change is audited")
    if actor == POLICY:  # or the audit would not tell whether a person did it
        raise AlertIncomplete(f"{what} other than {POLICY}, which is what it is where nobody is")
    if len(actor) > MOST_NAME:
        raise AlertIncomplete(f"{what} of at most {MOST_NAME} characters, not {len(actor)}")


def _entry(
    after: Alert,
    before: Alert | None,
    action: AlertAction,
    actor: str,
    at: datetime,
    note: str | None = None,
) -> AuditEntry:
    return AuditEntry(
        alert_id=after.id,
        version=after.version,
        at=at,
        actor=actor,
        action=action,
        before=before.state if before else None,
        after=after.state,
        assignee=after.assignee,
        disposition=after.disposition,
        note=note if note is not None else (after.note if not after.is_open else None),
    )
