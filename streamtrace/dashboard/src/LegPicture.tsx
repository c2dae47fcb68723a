// A leg's spectrogram: the last minute while its call is live, all that is held behind its end.

import { useEffect, useState } from "preact/hooks";
import { address, type LegName } from "./api";
import { minutes } from "./format";

const EVERY_MS = 2_000;
const SHOWN_MS = 60_000;

export function LegPicture({ id, leg, now_ms, isLive }: { id: string; leg: LegName; now_ms: number; isLive: boolean }) {
  const [turn, setTurn] = useState(0);
  const [isThere, setThere] = useState(true);
  useEffect(() => {
    setThere(true);
    if (!isLive) return;
    const timer = setInterval(() => document.hidden || setTurn((before) => before + 1), EVERY_MS);
    return () => clearInterval(timer);
  }, [id, leg, isLive]);
  const start_ms = isLive ? Math.max(0, now_ms - SHOWN_MS) : 0;
  const query = new URLSearchParams({ leg, start_ms: String(start_ms), turn: isLive ? String(turn) : "last" });
  // The address changes with the turn alone, or every event would fetch it anew.
  const [src, setSrc] = useState("");
  useEffect(() => setSrc(address(`v1/calls/${encodeURIComponent(id)}/spectrogram.png?${query.toString()}`).href), [id, leg, turn, isLive]);
  if (!src || !isThere) return null; // switched off, or no longer held
  return (
    <figure class="spectrogram">
      <img
        width="960"
        height="230"
        src={src}
        alt={`${leg}: spectrogram from ${minutes(start_ms)} to ${minutes(now_ms)}`}
        onError={() => setThere(isLive && turn < 2)}
      />
    </figure>
  );
}
