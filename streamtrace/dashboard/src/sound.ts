// The alert's sound: off until the viewer switches it on, as browsers ask for.

import { signal } from "@preact/signals";

const KEY = "streamtrace-sound";
export const isAudible = signal(localStorage.getItem(KEY) === "on");
let context: AudioContext | null = null;

export function toggleSound(): void {
  isAudible.value = !isAudible.value;
  localStorage.setItem(KEY, isAudible.value ? "on" : "off");
  if (isAudible.value) ring();
}

/** Two short tones. */
export function ring(): void {
  if (!isAudible.value) return;
  context ??= new AudioContext();
  for (const [number, hertz] of [660, 880].entries()) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    const begin = context.currentTime + number * 0.18;
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.0001, begin);
    volume.gain.exponentialRampToValueAtTime(0.15, begin + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, begin + 0.16);
    tone.connect(volume).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + 0.17);
  }
}
