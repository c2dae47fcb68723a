// A WebSocket that comes back by itself and says when what it showed has gone stale.

import { address } from "./api";

const QUIET_MS = 40_000; // heartbeats come every 15 s: two lost ones mean the line is dead
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;

export type LinkState = "connecting" | "live" | "lost";

/** Follow `path()`, asked anew at each attempt so that a cursor can move; returns what stops it. */
export function follow<T>(
  path: () => string,
  onMessage: (message: T) => void,
  onState: (state: LinkState) => void,
): () => void {
  let socket: WebSocket;
  let timer = 0;
  let watchdog = 0;
  let pause = FIRST_PAUSE_MS;
  let stopped = false;

  const heard = () => {
    clearTimeout(watchdog);
    watchdog = window.setTimeout(() => socket.close(), QUIET_MS);
  };
  const connect = () => {
    const url = address(path());
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.onopen = () => {
      pause = FIRST_PAUSE_MS;
      onState("live");
      heard();
    };
    socket.onmessage = (message: MessageEvent<string>) => {
      heard();
      onMessage(JSON.parse(message.data) as T);
    };
    socket.onclose = () => {
      clearTimeout(watchdog);
      if (stopped) return;
      onState("lost");
      timer = window.setTimeout(connect, pause * (0.75 + Math.random() / 2)); // apart from others
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    };
  };

  connect();
  return () => {
    stopped = true;
    clearTimeout(timer);
    clearTimeout(watchdog);
    socket.close();
  };
}
