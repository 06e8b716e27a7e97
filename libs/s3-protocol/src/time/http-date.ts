/**
 * Dates as HTTP writes them: RFC 9110, 5.6.7, the form of today and the two obsolete ones, always in UTC. Date.parse is no
 * reader of them: it takes `junk 1` for a date, and asctime's form for local time.
 */
import { calendarMs } from './calendar.js';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = String.raw`(?<time>\d\d:\d\d:\d\d)`;
const SHORT_DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAY = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const IMF_FIXDATE = String.raw`${SHORT_DAY}, (?<day>\d\d) ${MONTH} (?<year>\d{4}) ${TIME} GMT`;
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC_850 = String.raw`${LONG_DAY}, (?<day>\d\d)-${MONTH}-(?<year>\d\d) ${TIME} GMT`;
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = String.raw`${SHORT_DAY} ${MONTH} (?<day>\d\d| \d) ${TIME} (?<year>\d{4})`;

const FORMS = [IMF_FIXDATE, RFC_850, ASCTIME].map((form) => new RegExp(`^${form}$`));

/** Milliseconds since 1970, in whole seconds; undefined for what is no date of HTTP. The name of the day is not held against it. */
export function parseHttpDate(text: string, nowMs = Date.now()): number | undefined {
  for (const form of FORMS) {
    const found = form.exec(text)?.groups;
    if (found === undefined) continue;
    const year = found.year.length === 2 ? fullYear(Number(found.year), nowMs) : Number(found.year);
    return calendarMs(year, MONTHS.indexOf(found.month) + 1, Number(found.day), found.time.split(':').map(Number));
  }
  return undefined;
}

/** A year of two digits is never more than 50 years ahead. */
function fullYear(twoDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
