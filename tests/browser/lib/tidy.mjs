// Makes sure that a test run leaves nothing behind, however it ends.
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const duties = new Set();
process.on('exit', () => {
  // Processes started after the folder that they write to, so end them before it is removed.
  for (const duty of [...duties].reverse()) duty();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** Runs `duty` when this process ends. Call the returned function once that is no longer needed. */
export function owned(duty) {
  duties.add(duty);
  return () => duties.delete(duty);
}

/** Creates a temporary folder. */
export async function makeFolder(prefix) {
  const path = await mkdtemp(join(tmpdir(), prefix));
  const forget = owned(() => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
      forget();
    },
  };
}
