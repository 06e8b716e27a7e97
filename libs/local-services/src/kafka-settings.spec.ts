import { describe, expect, it } from '@jest/globals';
import { serverProperties } from './kafka-settings.js';

describe('server.properties', () => {
  it('listens on the loopback address alone and makes no topics by itself', () => {
    const lines = serverProperties({ brokerPort: 4001, controllerPort: 4002 }, 'data').split('\n');
    expect(lines).toContain('listeners=PLAINTEXT://127.0.0.1:4001,CONTROLLER://127.0.0.1:4002');
    expect(lines).toContain('advertised.listeners=PLAINTEXT://127.0.0.1:4001');
    expect(lines).toContain('controller.quorum.voters=1@127.0.0.1:4002');
    expect(lines).toContain('auto.create.topics.enable=false');
    expect(lines).toContain('log.dirs=data');
  });
});
