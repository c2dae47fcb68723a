// How values are worded: verdicts, shares, times.

export const VERDICTS = {
  synthetic: { words: "Synthetic", icon: "icon-synthetic" },
  bonafide: { words: "Human", icon: "icon-bonafide" },
  inconclusive: { words: "Inconclusive", icon: "icon-inconclusive" },
  no_speech: { words: "No speech", icon: "icon-no-speech" },
};

/** 0.934 -> "93 %"; never rounds up to certainty. */
export function percent(share) {
  const rounded = Math.round(share * 100);
  if (rounded >= 100 && share < 1) return "> 99 %";
  if (rounded <= 0 && share > 0) return "< 1 %";
  return `${rounded} %`;
}

/** 83400 -> "1:23". */
export function minutes(milliseconds) {
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** 4120 -> "4.1 s". */
export function seconds(milliseconds) {
  return milliseconds < 100_000 ? `${(milliseconds / 1000).toFixed(1)} s` : `${Math.round(milliseconds / 1000)} s`;
}

/** An ISO time as the clock on the wall shows it. */
export function wallClock(iso) {
  return iso ? new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }) : "";
}

/** "hung_up" -> "hung up". */
export function plain(name) {
  return String(name ?? "").replaceAll("_", " ");
}
