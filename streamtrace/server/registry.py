"""Every call that the server knows, newest last; of the ended ones, the newest few."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from streamtrace.events.views import CallState
from streamtrace.server.live_call import LiveCall
from streamtrace.sinks.changes import Changes


class Registry:
    """Calls by id. Bounded by admission, and by how many ended calls are kept."""

    def __init__(self, ended_kept: int) -> None:
        self.changes = Changes()
        self._ended_kept = ended_kept
        self._calls: dict[str, LiveCall] = {}
        self._texts: dict[str, str] = {}  # of calls that did not change since somebody asked
        self._ended: deque[str] = deque()
        self._open = 0  # announced or live

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def open_calls(self) -> int:
        """How many are announced or live."""
        return self._open

    def add(self, call: LiveCall) -> None:
        """A new call, announced or about to be live."""
        self._calls[call.id] = call
        self._open += 1
        self.changes.note(call.id)

    def remove(self, call: LiveCall) -> None:
        """It was announced, and never came."""
        if self._calls.pop(call.id, None) is not None:
            self._open -= 1
            self._forget(call.id)

    def changed(self, call: LiveCall) -> None:
        """Tell the feed, and let the oldest ended call go when this one has ended."""
        self.changes.note(call.id)
        self._texts.pop(call.id, None)
        if call.state is not CallState.ENDED:
            return
        self._open -= 1
        self._ended.append(call.id)
        while len(self._ended) > self._ended_kept:
            gone = self._ended.popleft()
            del self._calls[gone]
            self._forget(gone)

    def get(self, call_id: str) -> LiveCall | None:
        """The call, if it is known still."""
        return self._calls.get(call_id)

    def text(self, call_id: str) -> str | None:
        """The call as JSON, encoded once a change for however many follow the feed."""
        text = self._texts.get(call_id)
        if text is None and (call := self._calls.get(call_id)) is not None:
            text = self._texts[call_id] = call.view().model_dump_json()
        return text

    def open_with(self, external_id: str) -> LiveCall | None:
        """The newest call announced or live under this external id."""
        found = self.newest_first(external_id=external_id)
        return next((call for call in found if call.state is not CallState.ENDED), None)

    def newest_first(
        self,
        *,
        state: CallState | None = None,
        external_id: str | None = None,
        after: str | None = None,
    ) -> Iterator[LiveCall]:
        """Those that fit; with `after`, older than that call. Ids sort by time."""
        for call in reversed(self._calls.values()):
            if state is not None and call.state is not state:
                continue
            if external_id is not None and call.external_id != external_id:
                continue
            if after is not None and call.id >= after:
                continue
            yield call

    def _forget(self, call_id: str) -> None:
        self._texts.pop(call_id, None)
        self.changes.forget(call_id)
