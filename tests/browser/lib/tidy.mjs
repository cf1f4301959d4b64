// What a test run leaves behind: nothing, however it ends.
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const duties = new Set();
process.on('exit', () => {
  // Processes began after the folder that they write to, and end before it goes.
  for (const duty of [...duties].reverse()) duty();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** Has something done when this process ends; call what is given once there is no need any more. */
export function owned(duty) {
  duties.add(duty);
  return () => duties.delete(duty);
}

/** A temporary folder of its own. */
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
