// What a target may say of one input: nothing (it holds), or a Finding.
import { isHoldfastError } from '@holdfast/contracts';

export class Finding extends Error {}

/** Time that one call of the code under test may take. */
export const HANG_MS = 100;

/** One input on its way through the code under test. */
export class Trial {
  slowestMs = 0;

  /** The value of `call`, or the error of the table that it refused the input with. Everything else is a finding. */
  outcome(call) {
    const beganMs = performance.now();
    try {
      return { value: call() };
    } catch (error) {
      return refusalOf(error);
    } finally {
      this.#took(beganMs);
    }
  }

  /** The same for a call that answers later. */
  async outcomeOf(call) {
    const beganMs = performance.now();
    try {
      return { value: await call() };
    } catch (error) {
      return refusalOf(error);
    } finally {
      this.#took(beganMs);
    }
  }

  #took(beganMs) {
    this.slowestMs = Math.max(this.slowestMs, performance.now() - beganMs);
  }
}

function refusalOf(error) {
  if (!isHoldfastError(error)) throw new Finding(`crash: ${error?.stack ?? error}`);
  if (error.status >= 500 && error.status !== 501) throw new Finding(`${error.status} ${error.code}: ${error.message}`);
  return { refusal: error.code };
}

/** @throws Finding */
export function expectSame(actual, expected, what) {
  const [shownActual, shownExpected] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (shownActual !== shownExpected)
    throw new Finding(`${what}: got ${shownActual?.slice(0, 400)}, expected ${shownExpected?.slice(0, 400)}`);
}
