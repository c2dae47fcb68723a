// A WebSocket that comes back by itself and says when what it showed has gone stale.

const QUIET_MS = 40_000; // heartbeats come every 15 s: two lost ones mean the line is dead
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;

/**
 * Follow `path()`, asked anew at each attempt so that a cursor can move.
 * `onFrame(object)` for every message; `onState("live" | "lost")` when the link changes.
 * Returns a function that stops it.
 */
export function follow(path, onFrame, onState) {
  let socket = null;
  let timer = 0;
  let watchdog = 0;
  let pause = FIRST_PAUSE_MS;
  let stopped = false;

  const heard = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => socket.close(), QUIET_MS);
  };

  const connect = () => {
    const url = new URL(path(), document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.onopen = () => {
      pause = FIRST_PAUSE_MS;
      onState("live");
      heard();
    };
    socket.onmessage = (message) => {
      heard();
      onFrame(JSON.parse(message.data));
    };
    socket.onclose = () => {
      clearTimeout(watchdog);
      if (stopped) return;
      onState("lost");
      timer = setTimeout(connect, pause * (0.75 + Math.random() / 2)); // apart from other viewers
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
