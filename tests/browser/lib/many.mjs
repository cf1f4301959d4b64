// A journal with very many orders, made from one that the agent wrote itself.
import { DatabaseSync } from 'node:sqlite';
import { order, startWorld } from './casedrop.mjs';

/**
 * Copies the journal's order `id` into `count` further ones with the numbers after it, with their stories
 * and revisions. Every copy is one that Align has not named for a while; the agent must not be running.
 */
export function multiply(journal, id, count) {
  const db = new DatabaseSync(journal);
  try {
    db.exec('PRAGMA synchronous = OFF; BEGIN');
    for (const table of ['orders', 'revisions', 'events']) {
      // Columns that are computed, and row numbers, come by themselves.
      const columns = db.prepare(`PRAGMA table_info(${table})`).all().map(({ name }) => name).filter((name) => name !== 'id');
      const value = (name) => {
        switch (name) {
          case 'order_id': return 'CAST(:next AS TEXT)';
          case 'rx_id': return "'rx-' || :next";
          case 'last_seen_ms':
          case 'first_seen_ms':
          case 'at_ms': return `${name} - :age * 60000`;
          case 'manifest':
          case 'remote':
          case 'text': return `replace(${name}, :id, CAST(:next AS TEXT))`;
          default: return name;
        }
      };
      const copy = db.prepare(`INSERT INTO ${table} (${columns.join(', ')})
        SELECT ${columns.map(value).join(', ')} FROM ${table} WHERE order_id = :id`);
      const uses = (text) => copy.sourceSQL.includes(text);
      for (let number = 1; number <= count; number += 1) {
        copy.run({
          id,
          ...(uses(':next') && { next: Number(id) + number }),
          ...(uses(':age') && { age: number }),
        });
      }
    }
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}

/** The number of the order that is copied, and how many copies there are. */
export const FIRST = 17500001;
export const MANY = 100_000;

/** A world whose agent knows that many orders. */
export async function startCrowdedWorld(count = MANY) {
  const world = await startWorld({ orders: [order(FIRST)] });
  try {
    await world.published(FIRST);
    await world.story(FIRST, (story) => story.state === 'published');
    await world.stopAgent();
    multiply(world.path('state', 'journal.db'), String(FIRST), count);
    await world.startAgent();
    return world;
  } catch (error) {
    await world.close();
    throw error;
  }
}
