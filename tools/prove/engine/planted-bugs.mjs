// Bugs that a storage engine has had, each as a change of one place in the source, and the suite that must catch it.
export const plantedBugs = [
  {
    name: 'skip the flush before the superblock',
    file: 'engine/checkpointer.ts',
    find: `      await files.meta.flush();
      if (files.data !== files.meta) await files.data.flush();`,
    replace: '',
    suite: 'crash-states',
  },
  {
    name: 'answer before the log is written',
    file: 'engine/committer.ts',
    find: `    const writing = this.makeDurable(formed);`,
    replace: `    for (const transaction of formed.transactions) transaction.noteDurable();
    await this.options.turn();
    const writing = this.makeDurable(formed);`,
    suite: 'crash-states',
  },
  {
    name: 'write the log without making it durable',
    file: 'engine/committer.ts',
    find: `    if (!namesData) return meta.writeThrough(bytes, position, 'log');`,
    replace: `    if (!namesData) return meta.write([bytes], position, 'log');`,
    suite: 'crash-states',
  },
  {
    name: 'do not flush the data file before the record of a pair',
    file: 'engine/committer.ts',
    find: `    await data.flush();
    return meta`,
    replace: `    return meta`,
    suite: 'crash-states',
  },
  {
    name: 'stop the replay one group early',
    file: 'log/log-replay.ts',
    find: `    const groups = chain.map(`,
    replace: `    const groups = chain.slice(0, -1).map(`,
    suite: 'crash-states',
  },
  {
    name: 'take a group whose blocks do not verify',
    file: 'engine/recovery.ts',
    find: `    if (!group.isDoubtful) continue;`,
    replace: `    continue;`,
    suite: 'crash-states',
  },
  {
    name: 'reuse an extent before the checkpoint',
    file: 'engine/data-space.ts',
    find: `      this.freed.push({ start, blocks });
      this.waitingBlocks += blocks;`,
    replace: `      this.allocator.release({ start, blocks });`,
    suite: 'crash-states',
  },
  {
    name: 'write zeros before the frontier of what is filled',
    file: 'engine/fill-ahead.ts',
    find: `        const start = allocator.frontier;`,
    replace: `        const start = Math.max(0, allocator.frontier - 8);`,
    suite: 'crash-states',
  },
  {
    name: 'reuse a metadata page before the checkpoint',
    file: 'tree/page-space.ts',
    find: `    this.unlive(page);
    this.dropped.push(page);`,
    replace: `    this.giveBack(page);`,
    suite: 'crash-states',
  },
  {
    name: 'write on in the log segment that the checkpoint still needs',
    file: 'log/log-segments.ts',
    find: `    this.active = this.active === 0 ? 1 : 0;
`,
    replace: '',
    suite: 'crash-states',
  },
  {
    name: 'write all superblock copies at once',
    file: 'format/superblock.ts',
    find: `first * BLOCK_BYTES, 'superblock');
    await device.flush();
  }`,
    replace: `first * BLOCK_BYTES, 'superblock');
  }
  await device.flush();`,
    suite: 'crash-states',
  },
  {
    name: 'write the superblock copy that counts first',
    file: 'format/superblock.ts',
    find: `countingCopy < half ? [half, 0] : [0, half]`,
    replace: `countingCopy < half ? [0, half] : [half, 0]`,
    suite: 'crash-in-recovery',
  },
  {
    name: 'drop a superblock copy',
    file: 'format/superblock.ts',
    find: `    blocks.push(block.subarray(0, sizeBytes));`,
    replace: `    if (copy !== 3) blocks.push(block.subarray(0, sizeBytes));`,
    suite: 'device-faults',
  },
  {
    name: 'ignore the address of a page and what its parent says of it',
    file: 'tree/page.ts',
    find: `  if (position !== expected.position) return \`it was written for position \${position}\`;
`,
    replace: `  if (page.readUInt32LE(CHECKSUM_AT) === checksumOf(page)) return undefined;
`,
    suite: 'device-faults',
  },
  {
    name: 'do not verify data blocks',
    file: 'units/unit-reader.ts',
    find: `memory.bytes.subarray(first - start, last - start)) === checksum;`,
    replace: `memory.bytes.subarray(first - start, last - start)) === checksum || last > 0;`,
    suite: 'device-faults',
  },
  {
    name: 'treat an error as absent',
    file: 'tree/page-store.ts',
    find: `    const advice = 'Replace the device and let its units be rebuilt.';`,
    replace: `    Page.initPage(bytes, { kind: 1, level: 0, deviceIdBytes, position, sequence: 0, treeId: 0 });
    if (page > 0) return { number: page, bytes, epoch: 0, checksum, isDirty: false, isRecent: true };
    const advice = 'Replace the device and let its units be rebuilt.';`,
    suite: 'device-faults',
  },
  {
    name: 'take a hole in the log for its end',
    file: 'log/log-replay.ts',
    find: `    if (last < knownFlushed) throw this.damaged(last + 1, knownFlushed);`,
    replace: ``,
    suite: 'device-faults',
  },
  {
    name: 'ignore what the parent says of a page',
    file: 'tree/page.ts',
    find: `  if (page.readUInt32LE(CHECKSUM_AT) !== expected.checksum) return 'it is another version than its parent names';
`,
    replace: ``,
    suite: 'device-faults',
  },
  {
    name: 'ignore the checksum of a page',
    file: 'tree/page.ts',
    find: `  if (page.readUInt32LE(CHECKSUM_AT) !== checksumOf(page)) return 'its checksum is wrong';
`,
    replace: ``,
    suite: 'device-faults',
  },
  {
    name: 'do not verify a page of kind bitmap',
    file: 'tree/page.ts',
    find: `  if (page.length !== BLOCK_BYTES) return 'it cannot be read';
`,
    replace: `  if (page[6] === PageKind.bitmap) return undefined;
`,
    suite: 'device-faults',
  },
  {
    name: 'do not verify a page of kind root',
    file: 'tree/page.ts',
    find: `  if (page.length !== BLOCK_BYTES) return 'it cannot be read';
`,
    replace: `  if (page[6] === PageKind.root) return undefined;
`,
    suite: 'device-faults',
  },
  {
    name: 'do not verify a page of kind value',
    file: 'tree/page.ts',
    find: `  if (page.length !== BLOCK_BYTES) return 'it cannot be read';
`,
    replace: `  if (page[6] === PageKind.value) return undefined;
`,
    suite: 'device-faults',
  },
  {
    name: 'do not verify a page of kind inner',
    file: 'tree/page.ts',
    find: `  if (page.length !== BLOCK_BYTES) return 'it cannot be read';
`,
    replace: `  if (page[6] === PageKind.inner) return undefined;
`,
    suite: 'device-faults',
  },
  {
    name: 'ignore the device id of a log group',
    file: 'log/log-group.ts',
    find: ` || !block.subarray(8, 24).equals(address.deviceIdBytes)`,
    replace: ``,
    suite: 'device-faults',
  },
  {
    name: 'ignore the checksum of a log group',
    file: 'log/log-group.ts',
    find: ` || block.readUInt32LE(CHECKSUM_AT) !== checksumOf(block, recordsEnd)`,
    replace: ``,
    suite: 'device-faults',
  },
  {
    name: 'ignore the padding in the head of a log group',
    file: 'log/log-group.ts',
    find: `  if (!isZero(block, CHECKSUM_END, GROUP_HEADER_BYTES)) return undefined;
`,
    replace: ``,
    suite: 'device-faults',
    // Four bytes of a block.
    trials: 150,
  },
  {
    name: 'ignore the padding behind the records of a log group',
    file: 'log/log-group.ts',
    find: `  if (!isZero(block, recordsEnd, payloadStart(recordBytes))) return undefined;
`,
    replace: ``,
    suite: 'device-faults',
  },
  {
    name: 'ignore the zeros behind a unit',
    file: 'units/unit-reader.ts',
    find: `  return ZEROS.compare(tail, 0, tail.length, 0, tail.length) === 0;`,
    replace: `  return tail.length < BLOCK_BYTES;`,
    suite: 'device-faults',
  },
  {
    name: 'do not verify small units in the log',
    file: 'engine/unit-bytes.ts',
    find: `    if (pieceChecksum(unitSeed(key), 0, whole) !== checksum) return undefined;
`,
    replace: ``,
    suite: 'device-faults',
  },
  {
    name: 'ignore the checksum of a superblock',
    file: 'format/superblock.ts',
    find: `  if (block.readUInt32LE(CHECKSUM_AT) !== crc32(block.subarray(0, CHECKSUM_AT))) return undefined;
`,
    replace: ``,
    suite: 'device-faults',
  },
  {
    name: 'ignore the sequence of a superblock',
    file: 'format/superblock.ts',
    find: `(next.superblock.sequence > best.superblock.sequence ? next : best)`,
    replace: `best`,
    suite: 'device-faults',
  },
  {
    name: 'ignore the number of a superblock copy',
    file: 'format/superblock.ts',
    find: ` || block.readUInt32LE(12) !== copy`,
    replace: ``,
    suite: 'device-faults',
  },
  {
    name: 'ignore the device id of a superblock',
    file: 'format/superblock.ts',
    find: `valid.filter(({ superblock }) => superblock.deviceId === deviceId);
  if (own`,
    replace: `valid;
  if (own`,
    suite: 'device-faults',
  },
  {
    name: 'do not look at groups behind a gap in the log',
    file: 'log/log-replay.ts',
    find: `        if (isCurrent) highest = Math.max(highest, group.knownFlushed);
`,
    replace: '',
    suite: 'device-faults',
  },
  {
    name: 'make damaged bytes right when they move out of the log',
    file: 'engine/small-units.ts',
    find: `    const checksum = this.units.checksum(unit);
    if (extents.length === 0) return [];`,
    replace: `    const own = Buffer.alloc(UNIT_KEY_BYTES);
    this.units.copyKey(unit, own);
    const checksum = pieceChecksum(unitSeed(own), 0, this.bytesInLog(unit));
    if (extents.length === 0) return [];`,
    suite: 'device-faults',
  },
  {
    name: 'believe the memory of a page in the scrub',
    file: 'engine/page-scrub.ts',
    find: `      await this.parts.pages.read(ref);
    } catch`,
    replace: `      if (this.parts.pages.cached(ref.page) === undefined) await this.parts.pages.read(ref);
    } catch`,
    suite: 'device-lies',
  },
  {
    name: 'try a failed log write again',
    file: 'engine/committer.ts',
    find: `      await writing;
    } catch (cause) {`,
    replace: `      await writing.catch(() => this.makeDurable(formed));
    } catch (cause) {`,
    suite: 'failed-calls',
  },
  {
    name: 'go on after a failed checkpoint',
    file: 'engine/checkpointer.ts',
    find: `    this.health.die(cause);
    for (const { reject } of waiters)`,
    replace: `    for (const { reject } of waiters)`,
    suite: 'failed-calls',
  },
  {
    name: 'split a page without its separator',
    file: 'tree/node-split.ts',
    find: `      this.separator = dividing(Page.leafKey(cells[at - 1]), Page.leafKey(cells[at]));`,
    replace: `      this.separator = Buffer.from(Page.leafKey(cells[Math.min(at + 1, cells.length - 1)]));`,
    suite: 'engine-model',
  },
  {
    name: 'free a unit without its extents',
    file: 'engine/unit-transactions.ts',
    find: `      space.noteFreed(table.delete(key));
      return true;`,
    replace: `      table.delete(key);
      return true;`,
    suite: 'engine-model',
  },
  {
    name: 'find a small unit in the log after it was freed',
    file: 'units/log-units.ts',
    find: `      if (this.state[unit] !== State.gone && this.compareKey`,
    replace: `      if (this.compareKey`,
    suite: 'engine-model',
  },
  {
    name: 'list only units that have left the log',
    file: 'units/unit-table.ts',
    find: `    if (waiting.length === 0) return next;`,
    replace: `    if (waiting.length >= 0) return next;`,
    suite: 'engine-model',
  },
  {
    name: 'let two write one unit at once',
    file: 'extent-store.ts',
    find: `    while (this.inFlight.has(name)) await this.afterOther(name);
`,
    replace: ``,
    suite: 'engine-model',
  },
  {
    name: 'read a unit once whose blocks may be reused',
    file: 'extent-store.ts',
    find: `const READ_TRIES = 3;`,
    replace: `const READ_TRIES = 1;`,
    suite: 'engine-model',
    trials: 1200,
  },
  {
    name: 'give a unit back whose reading began before it was freed',
    file: 'units/recent-units.ts',
    find: `moment !== this.removals || `,
    replace: ``,
    suite: 'engine-model',
    // A read, a free and a read again have to meet: about one sequence of a thousand.
    trials: 12_000,
    runMs: 150_000,
  },
];
