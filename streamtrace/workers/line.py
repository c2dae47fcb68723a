"""The line from an ingest process to the engine's, shared by a conversation for each connection."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TypeAlias

from streamtrace.errors import CallRejected, NotAllowed, StreamTaken
from streamtrace.values import EndReason
from streamtrace.workers.control import Begun, Ended, Fresh, Left, Message, Refused, Seated

ENGINE_GONE = "this server is going down: call again"

# How it was refused there, by the code that it is closed with here.
REJECTIONS = {kind.close_code: kind for kind in (CallRejected, NotAllowed, StreamTaken)}

Answer: TypeAlias = Fresh | Seated | Begun | Refused | Ended


class EngineLine:
    """Finds the conversation that an answer belongs to."""

    def __init__(self, tell: Callable[[Message], None]) -> None:
        self.tell = tell
        self._conversations: dict[int, Conversation] = {}
        self._numbers = itertools.count(1)
        self._is_cut = False

    def open(self) -> Conversation:
        """A channel of its own for one connection; raises `CallRejected` when nobody listens."""
        if self._is_cut:
            raise CallRejected(ENGINE_GONE)
        conversation = Conversation(next(self._numbers), self)
        self._conversations[conversation.channel] = conversation
        return conversation

    def hear(self, answer: Answer) -> None:
        """What the engine says to one of them."""
        if conversation := self._conversations.get(answer.channel):
            conversation.hear(answer)

    def leave(self, channel: int) -> None:
        """Its connection is over."""
        if self._conversations.pop(channel, None) is not None:
            self.tell(Left(channel=channel))

    def cut(self) -> None:
        """The engine is gone: nobody need wait any longer."""
        self._is_cut = True
        for channel, conversation in self._conversations.items():
            conversation.hear(Ended(channel=channel, reason=EndReason.SOURCE_LOST))


class Conversation:
    """What is said about one connection."""

    def __init__(self, channel: int, line: EngineLine) -> None:
        self.channel = channel
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._line = line
        self._answer: asyncio.Future[Answer] | None = None

    async def ask(self, question: Message) -> Fresh | Seated | Begun:
        """The answer; raises `CallRejected` where it is no."""
        self._answer = asyncio.get_running_loop().create_future()
        self._line.tell(question)
        answer = await self._answer
        match answer:
            case Fresh() | Seated() | Begun():
                return answer
            case Refused(text=text, close_code=code):
                raise REJECTIONS.get(code, CallRejected)(text)
            case Ended():
                raise CallRejected(ENGINE_GONE)

    def hear(self, answer: Answer) -> None:
        """Whoever waits for it goes on."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
        if isinstance(answer, Ended) and not self.ended.done():
            self.ended.set_result(answer)

    def leave(self) -> None:
        """Nothing is needed any more; harmless when said before."""
        self._line.leave(self.channel)
