/**
 * What fsck can say of a device whose state cannot be brought into memory, since pages that this needs or its log are damaged:
 * which pages of its newest checkpoint do not verify.
 */
import { ExtentStoreError } from '../extent-store-error.js';
import { layoutOf } from '../format/device-layout.js';
import { uuidToBytes } from '../format/superblock.js';
import { PageStore } from '../tree/page-store.js';
import type { PageRef } from '../tree/page-space.js';
import { TreeSurvey } from '../tree/tree-survey.js';
import type { OpenedDevice } from './device-opening.js';
import { copyProblems, type FsckReport } from './fsck.js';
import { TreeId, decodeCatalogue, decodeRoot, type CheckpointRoot } from './root-page.codec.js';

/** @param cause why the device could not be recovered */
export async function surveyCheckpoint(
  { superblock, files }: OpenedDevice,
  path: string,
  cause: ExtentStoreError,
): Promise<FsckReport> {
  const { capacityBytes, segmentBytes, pageCount, rootPage, rootChecksum } = superblock;
  const layout = layoutOf({ capacityBytes, segmentBytes, pageCount, isPair: files.meta !== files.data });
  const deviceIdBytes = uuidToBytes(superblock.deviceId);
  const pages = new PageStore(files.meta, { path, layout, deviceIdBytes, cachePagesMax: 0, epoch: 0 });
  const survey = new CheckpointSurvey(pages);
  if (rootPage !== 0) await survey.run({ page: rootPage, checksum: rootChecksum });
  return {
    problems: [...new Set([cause.message, ...survey.problems])],
    copies: await copyProblems(files),
    unitCount: survey.unitCount,
    usedBlocks: 0,
    freeBlocks: 0,
    pageCount: survey.pageCount,
    catalogueCount: survey.catalogueCount,
    extents: [],
  };
}

class CheckpointSurvey {
  readonly problems: string[] = [];
  unitCount = 0;
  pageCount = 0;
  catalogueCount = 0;

  constructor(private readonly pages: PageStore) {}

  async run(rootRef: PageRef): Promise<void> {
    const bytes = await this.read(rootRef);
    if (bytes === undefined) return;
    const { trees, bitmaps } = decodeRoot(bytes);
    this.unitCount = trees[TreeId.cob - 1].entryCount;
    for (const ref of bitmaps) if (ref.page !== 0) await this.read(ref);
    await this.surveyTrees(trees);
  }

  private async surveyTrees(trees: CheckpointRoot['trees']): Promise<void> {
    const catalogues: CheckpointRoot['trees'][number][] = [];
    for (const [index, root] of trees.entries()) {
      const isMeta = index + 1 === TreeId.catalogues;
      const survey = await TreeSurvey.make(this.pages, root, ({ value }) => {
        if (isMeta) catalogues.push(decodeCatalogue(value).root);
      });
      this.note(survey);
    }
    for (const root of catalogues) this.note(await TreeSurvey.make(this.pages, root));
    this.catalogueCount = catalogues.length;
  }

  private note({ pages, damage }: TreeSurvey): void {
    this.pageCount += pages.length;
    this.problems.push(...damage);
  }

  private async read(ref: PageRef): Promise<Buffer | undefined> {
    this.pageCount += 1;
    try {
      return (await this.pages.read(ref)).bytes;
    } catch (error) {
      if (!(error instanceof ExtentStoreError) || error.code !== 'MetadataDamaged') throw error;
      this.problems.push(error.message);
      return undefined;
    }
  }
}
