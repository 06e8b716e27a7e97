/** Milliseconds since 1970 of a moment in UTC; undefined for one that no calendar and no clock shows (31 February, 24:00). */
export function calendarMs(
  year: number,
  month: number,
  day: number,
  [hour, minute, second]: readonly number[],
): number | undefined {
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const atMs = Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(atMs);
  const isThere = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isThere ? atMs : undefined;
}
