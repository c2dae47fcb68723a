// Calls as a file: CSV that no spreadsheet takes for formulas, or JSON.

import type { Call } from "./calls";

const COLUMNS = [
  "id", "external_id", "line", "protocol", "state", "started", "ended", "reason",
  "leg", "verdict", "spoof_probability", "source", "source_probability", "novelty", "speech_ms",
] as const;

/** A cell: quoted, and made text where a spreadsheet would calculate (OWASP, CSV injection). */
export function cell(value: string | number | null | undefined): string {
  if (typeof value === "number") return String(value);
  const text = value ?? "";
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

export function asCsv(calls: readonly Call[]): string {
  const rows = calls.flatMap((call) =>
    (call.legs.length ? call.legs : [null]).map((leg) => {
      const decision = leg?.decision;
      const top = decision?.attribution[0];
      return [
        call.id, call.external_id, call.line, call.protocol, call.state, call.started, call.ended,
        call.reason, leg?.leg, decision?.verdict, decision?.spoof_probability, top?.source,
        top?.probability, decision?.novelty, decision?.speech_ms,
      ].map(cell).join(",");
    }),
  );
  return [COLUMNS.join(","), ...rows].join("\r\n") + "\r\n";
}

export function asJson(calls: readonly Call[]): string {
  return JSON.stringify(
    calls.map(({ id, external_id, line, protocol, state, started, ended, reason, legs }) => ({
      id, external_id, line, protocol, state, started, ended, reason, legs,
    })),
    null,
    2,
  );
}

export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const anchor = Object.assign(document.createElement("a"), { href: url, download: name });
  anchor.click();
  URL.revokeObjectURL(url);
}
