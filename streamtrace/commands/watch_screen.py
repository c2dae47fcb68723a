"""`streamtrace watch` in a terminal: two tables, their keys, and what people decide."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, OptionList, Static

from streamtrace.client.client import Client, SeenAlert
from streamtrace.commands.watch_follow import Following
from streamtrace.commands.watch_picture import (
    ALERT_COLUMNS,
    CALL_COLUMNS,
    Picture,
    Row,
    alert_fields,
    alert_id,
    columns,
    printable,
)
from streamtrace.errors import Conflict, StreamTraceError
from streamtrace.events.alert_views import AlertView
from streamtrace.events.alerts import Disposition

REDRAW_S = 0.5
INTERRUPTED = 130
Verdict = tuple[Disposition, str]


class Dismissal(ModalScreen[Verdict | None]):
    """What it turned out to be, and why."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave it")]
    CSS = """
    Dismissal { align: center middle; }
    Dismissal Vertical { width: 70; max-width: 90%; height: auto; border: round $error; }
    Dismissal OptionList { height: auto; }
    """

    def __init__(self, call: str) -> None:
        super().__init__()
        self._call = call

    def compose(self) -> ComposeResult:
        """A list and a line to write in."""
        with Vertical():
            yield Static(Text(f"Dismiss the alert of {self._call}: what was it?"))
            yield OptionList(*(one.value.replace("_", " ") for one in Disposition))
            yield Input(placeholder="why (needed); Enter dismisses, Escape leaves it")

    def on_option_list_option_selected(self) -> None:
        """Chosen: now the reason."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Done, once there is a reason."""
        chosen = self.query_one(OptionList).highlighted
        if event.value.strip():
            self.dismiss((list(Disposition)[chosen or 0], event.value.strip()))

    def action_leave(self) -> None:
        """It stays as it is."""
        self.dismiss(None)


class Watch(App[int]):
    """The live picture; it returns the exit code."""

    TITLE = "StreamTrace"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move(1)", "Down"),
        Binding("k", "move(-1)", "Up"),
        Binding("tab", "app.focus_next", "Calls/alerts"),
        Binding("a", "acknowledge", "Acknowledge"),
        Binding("e", "escalate", "Escalate"),
        Binding("d", "dismiss", "Dismiss"),
        Binding("q", "leave(0)", "Quit"),
        Binding("ctrl+c", f"leave({INTERRUPTED})", show=False, priority=True),
    ]
    CSS = """
    #summary { height: 1; background: $panel; }
    #trouble { height: auto; background: $error; color: $text; display: none; }
    #calls { height: 2fr; }
    #alerts { height: 1fr; min-height: 4; border-top: solid $panel; }
    """

    def __init__(self, client: Client, actor: str, only: str | None = None) -> None:
        super().__init__()
        self.picture = Picture(only)
        self.failure: StreamTraceError | None = None
        self._client = client
        self._actor = actor
        self._changed = True
        self._following = Following(client, self.picture, self._note)
        # Held on to, for a query finds only what is on the screen in front.
        self._summary, self._trouble = Static(id="summary"), Static(id="trouble")
        self._calls = DataTable[Text](id="calls", cursor_type="row", zebra_stripes=True)
        self._alerts = DataTable[Text](id="alerts", cursor_type="row", zebra_stripes=True)

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self._summary
        yield self._trouble
        yield self._calls
        yield self._alerts
        yield Footer()

    def on_mount(self) -> None:
        """Begin to follow, and to draw what has changed."""
        self._follow()
        self.set_interval(REDRAW_S, self.redraw)
        self._alerts.focus()

    def on_resize(self) -> None:
        """Other columns may fit."""
        self._changed = True
        self.redraw()

    def redraw(self) -> None:
        """What there is now; ages go on by themselves."""
        trouble = self._following.trouble
        self._trouble.display = trouble is not None
        stale = "STALE: " if self._following.was_connected else ""
        self._trouble.update(Text(f"{stale}{printable(trouble or '')}; trying"))
        summary = f"{self._client.url} · {self.picture.summary()}"
        self._summary.update(Text(summary, no_wrap=True))
        self._fill(self._calls, CALL_COLUMNS, self.picture.call_rows(datetime.now(UTC)))
        if self._changed:
            self._fill(self._alerts, ALERT_COLUMNS, self.picture.alert_rows())
            self._changed = False

    def action_move(self, by: int) -> None:
        """Up and down in the table that has the keys."""
        table = self.focused
        if isinstance(table, DataTable):
            table.move_cursor(row=max(table.cursor_row + by, 0))

    def action_leave(self, code: int) -> None:
        """Nothing is left behind on the server."""
        self.exit(code)

    def action_acknowledge(self) -> None:
        """Somebody looks at it."""
        alert = self._chosen()
        if alert is not None:
            self._decide(self._client.acknowledge(alert, self._actor), "acknowledged")

    def action_escalate(self) -> None:
        """It is for somebody else to decide."""
        alert = self._chosen()
        if alert is not None:
            self._decide(self._client.escalate(alert, self._actor), "escalated")

    def action_dismiss(self) -> None:
        """It was nothing, once somebody says what and why."""
        seen = self._chosen()
        if seen is None:
            return
        fields = alert_fields(seen)

        def said(verdict: Verdict | None) -> None:
            if verdict is not None:
                now = self.picture.alert(alert_id(seen)) or seen
                # Evidence may grow while somebody writes; what others decided meanwhile counts.
                alert = now if alert_fields(now).state is fields.state else seen
                deciding = self._client.dismiss(alert, self._actor, *verdict)
                self._decide(deciding, "dismissed")

        self.push_screen(Dismissal(printable(fields.external_id or fields.call_id)), said)

    @work
    async def _follow(self) -> None:
        try:
            await self._following.run()
        except* StreamTraceError as failures:
            first = failures.exceptions[0]
            self.failure = first if isinstance(first, StreamTraceError) else None
            self.exit(1)

    @work
    async def _decide(self, deciding: Awaitable[AlertView], done: str) -> None:
        try:
            alert = await deciding
        except Conflict as conflict:
            self.notify(f"not any more as it was here: {conflict.detail}", severity="warning")
        except StreamTraceError as failure:
            self.notify(str(failure), severity="error")
        else:
            self.picture.take_alert(alert)
            self._note()
            self.notify(done)

    def _chosen(self) -> SeenAlert | None:
        key = _key(self._alerts)
        if key is None:
            self.notify("no alert is open")
        return None if key is None else self.picture.alert(key)

    def _note(self) -> None:
        self._changed = True

    def _fill(self, table: DataTable[Text], all_columns: dict[str, int], rows: list[Row]) -> None:
        """Anew, with the cursor on the row that it was on."""
        at, key = table.cursor_row, _key(table)
        wanted = columns(all_columns, self.size.width)
        table.clear(columns=True)
        table.add_columns(*wanted)
        for row in rows:
            cells = (row.cells.get(column, ("", "")) for column in wanted)
            table.add_row(*(Text(text, style) for text, style in cells), key=row.key)
        keys = [row.key for row in rows]
        table.move_cursor(row=keys.index(key) if key in keys else min(at, max(len(rows) - 1, 0)))


def _key(table: DataTable[Text]) -> str | None:
    """Of the row under the cursor."""
    if not table.row_count:
        return None
    return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value
