// How values are worded: verdicts, shares, times.

import type { Verdict } from "./api";

export const VERDICTS: Record<Verdict, string> = {
  synthetic: "Synthetic",
  bonafide: "Human",
  inconclusive: "Inconclusive",
  no_speech: "No speech",
};

/** 0.934 -> "93 %"; never rounds up to certainty. */
export function percent(share: number): string {
  const rounded = Math.round(share * 100);
  if (rounded >= 100 && share < 1) return "> 99 %";
  if (rounded <= 0 && share > 0) return "< 1 %";
  return `${rounded} %`;
}

/** 83400 -> "1:23"; an hour and more -> "1:00:00". */
export function minutes(milliseconds: number): string {
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, rest] = [Math.floor(whole / 3600), whole % 3600];
  return hours ? `${hours}:${two(Math.floor(rest / 60))}:${two(rest % 60)}` : `${Math.floor(rest / 60)}:${two(rest % 60)}`;
}

/** 4120 -> "4.1 s". */
export function seconds(milliseconds: number): string {
  return milliseconds < 100_000 ? `${(milliseconds / 1000).toFixed(1)} s` : `${Math.round(milliseconds / 1000)} s`;
}

/** An ISO time as the clock on the wall shows it. */
export function wallClock(iso: string | null | undefined): string {
  return iso ? new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }) : "";
}

/** "hung_up" -> "hung up". */
export function plain(name: string | null | undefined): string {
  return (name ?? "").replaceAll("_", " ");
}
