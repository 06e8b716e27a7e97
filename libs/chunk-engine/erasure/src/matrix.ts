import { assert } from '@holdfast/stdx';
import { invert, multiply } from './galois-field.js';

/** Rows of coefficients in GF(2^8). */
export type Matrix = readonly Uint8Array[];

/**
 * The m rows that make parity from k data units: the Cauchy matrix 1 / (x_i + y_j) with x_i = i and y_j = m + j, its
 * columns scaled so that the first row is all ones (one parity unit is XOR) and its rows so that the first column is.
 * Scaling rows and columns of a Cauchy matrix by values other than zero leaves every square submatrix invertible, so
 * any k of the k + m units decode.
 */
export function parityMatrix(k: number, m: number): Uint8Array[] {
  const rows = Array.from({ length: m }, (_, i) => Uint8Array.from({ length: k }, (_unused, j) => invert(i ^ (m + j))));
  for (let j = 0; j < k; j += 1) {
    const scale = m > 0 ? invert(rows[0][j]) : 1;
    for (const row of rows) row[j] = multiply(row[j], scale);
  }
  for (const row of rows) {
    const scale = invert(row[0]);
    for (let j = 0; j < k; j += 1) row[j] = multiply(row[j], scale);
  }
  return rows;
}

/** The inverse by Gauss-Jordan elimination. */
export function invertMatrix(matrix: Matrix): Uint8Array[] {
  const size = matrix.length;
  const left = matrix.map((row) => Uint8Array.from(row));
  const right = matrix.map((_, i) => Uint8Array.from({ length: size }, (_unused, j) => (i === j ? 1 : 0)));
  for (let column = 0; column < size; column += 1) {
    const pivot = left.findIndex((row, index) => index >= column && row[column] !== 0);
    assert(pivot >= 0, 'Any k rows of the generator matrix are independent', { size, column });
    [left[column], left[pivot]] = [left[pivot], left[column]];
    [right[column], right[pivot]] = [right[pivot], right[column]];
    const scale = invert(left[column][column]);
    scaleRow(left[column], scale);
    scaleRow(right[column], scale);
    for (let row = 0; row < size; row += 1) {
      const factor = left[row][column];
      if (row === column || factor === 0) continue;
      addScaledRow(left[row], left[column], factor);
      addScaledRow(right[row], right[column], factor);
    }
  }
  return right;
}

/** The product of a row vector and a matrix. */
export function multiplyRow(row: Uint8Array, matrix: Matrix): Uint8Array {
  const product = new Uint8Array(matrix[0].length);
  row.forEach((factor, index) => addScaledRow(product, matrix[index], factor));
  return product;
}

function scaleRow(row: Uint8Array, factor: number): void {
  for (let index = 0; index < row.length; index += 1) row[index] = multiply(row[index], factor);
}

function addScaledRow(target: Uint8Array, source: Uint8Array, factor: number): void {
  for (let index = 0; index < target.length; index += 1) target[index] ^= multiply(source[index], factor);
}
