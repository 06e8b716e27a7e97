/** The W3C's profile of ISO 8601: from the year alone to fractions of a second. A time of day needs its zone. */
const ISO_8601 = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d))?)?)?$/;
const EPOCH_SECONDS = /^-?\d{5,12}(\.\d{1,9})?$/;

/** Milliseconds since 1970 of an ISO 8601 date or of seconds since 1970. @returns undefined for anything else */
export function parseDate(text: string): number | undefined {
  if (EPOCH_SECONDS.test(text)) return Number(text) * 1000;
  const parts = ISO_8601.exec(text);
  if (parts === null) return undefined;
  const [, year, month = '01', day = '01', hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] =
    parts;
  const ms = Date.parse(
    `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}${zone}`,
  );
  if (Number.isNaN(ms)) return undefined;
  // Date.parse moves 30 February into March.
  const sameDay = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
  return sameDay ? ms : undefined;
}
