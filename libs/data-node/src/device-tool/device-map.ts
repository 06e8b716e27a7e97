/** A picture of where a device holds what, as text. */
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { DeviceLayout, FsckReport } from '@holdfast/extent-store';
import { sizeText } from './size-text.js';

const CELLS_PER_ROW = 64;
const ROWS_MAX = 32;

type Extents = FsckReport['extents'];

/** Lines: what lies in front of the data blocks, a grid of cells of equal size, and figures of the free extents. */
export function mapLines(layout: DeviceLayout, extents: Extents): string[] {
  const { dataBlocks, dataStart } = layout;
  const cellBlocks = Math.max(1, Math.ceil(dataBlocks / (CELLS_PER_ROW * ROWS_MAX)));
  const cells = usedByCell(extents, dataBlocks, cellBlocks).map((used, index) =>
    cellText(used, Math.min(cellBlocks, dataBlocks - index * cellBlocks)),
  );
  const lines = [
    ...frontLines(layout),
    `data, ${dataBlocks} blocks; a sign stands for ${sizeText(cellBlocks * BLOCK_BYTES)}:`,
  ];
  for (let from = 0; from < cells.length; from += CELLS_PER_ROW) {
    const position = dataStart + from * cellBlocks * BLOCK_BYTES;
    lines.push(`${String(position).padStart(16)}  ${cells.slice(from, from + CELLS_PER_ROW).join('')}`);
  }
  return [
    ...lines,
    `${''.padStart(16)}  . free   - up to half used   + more than half   # all used`,
    ...freeLines(extents),
  ];
}

function frontLines({ segmentBytes, pagesStart, pageCount, isPair }: DeviceLayout): string[] {
  const row = (position: number, what: string): string => `${String(position).padStart(16)}  ${what}`;
  return [
    ...(isPair ? ['the file with log and pages:'] : []),
    row(0, 'superblock, 4 copies'),
    row(pagesStart - 2 * segmentBytes, `log segment 0, ${sizeText(segmentBytes)}`),
    row(pagesStart - segmentBytes, `log segment 1, ${sizeText(segmentBytes)}`),
    row(pagesStart, `${pageCount} metadata pages, ${sizeText(pageCount * BLOCK_BYTES)}`),
  ];
}

/** Used blocks of each cell. */
function usedByCell(extents: Extents, dataBlocks: number, cellBlocks: number): number[] {
  const used = new Array<number>(Math.ceil(dataBlocks / cellBlocks)).fill(0);
  for (const { start, blocks, use } of extents) {
    if (use === 'free') continue;
    const end = Math.min(start + blocks, dataBlocks);
    for (let at = start; at < end;) {
      const cell = Math.floor(at / cellBlocks);
      const next = Math.min(end, (cell + 1) * cellBlocks);
      used[cell] += next - at;
      at = next;
    }
  }
  return used;
}

function cellText(used: number, blocks: number): string {
  if (used === 0) return '.';
  if (used >= blocks) return '#';
  return used * 2 <= blocks ? '-' : '+';
}

function freeLines(extents: Extents): string[] {
  const free = extents.filter(({ use }) => use === 'free').map(({ blocks }) => blocks);
  const sum = free.reduce((total, blocks) => total + blocks, 0);
  const largest = free.reduce((most, blocks) => Math.max(most, blocks), 0);
  const used = extents.length - free.length;
  return [
    `${used} used extents; ${free.length} free ones with ${sizeText(sum * BLOCK_BYTES)} in all, the largest has ${sizeText(largest * BLOCK_BYTES)}`,
  ];
}
