// A journal with very many orders, made from one that the agent wrote itself.
import { DatabaseSync } from 'node:sqlite';
import { order, startWorld } from './casedrop.mjs';

/**
 * Copies the journal's order `id` into the `count` orders with the numbers after it, with their events
 * and revisions. Each copy looks as if Align last listed it some time ago. The agent must not be running.
 */
export function multiply(journal, id, count) {
  const db = new DatabaseSync(journal);
  try {
    db.exec('PRAGMA synchronous = OFF; BEGIN');
    for (const table of ['orders', 'revisions', 'events']) {
      // Skips computed columns and row ids, which SQLite fills in.
      const columns = db.prepare(`PRAGMA table_info(${table})`).all().map(({ name }) => name).filter((name) => name !== 'id');
      const rows = db.prepare(`SELECT ${columns.join(', ')} FROM ${table} WHERE order_id = ?`).all(id);
      const insert = db.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`);
      for (let number = 1; number <= count; number += 1) {
        for (const row of rows) insert.run(...columns.map((name) => copied(name, row[name], id, number)));
      }
    }
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}

/** A column's value in the copy with that number. */
function copied(name, value, id, number) {
  const next = String(Number(id) + number);
  switch (name) {
    case 'order_id': return next;
    case 'rx_id': return `rx-${next}`;
    case 'last_seen_ms':
    case 'first_seen_ms':
    case 'at_ms':
    case 'published_ms':
    case 'confirmed_ms': return value - number * 60_000;
    default: return typeof value === 'string' ? value.replaceAll(id, next) : value;
  }
}

/** The number of the order that is copied, and the number of copies. */
export const FIRST = 17500001;
export const MANY = 100_000;

/** A world whose agent knows this many orders. */
export async function startCrowdedWorld(count = MANY) {
  const world = await startWorld({ orders: [order(FIRST)] });
  try {
    await world.published(FIRST);
    await world.story(FIRST, (story) => story.state === 'published');
    await world.stopAgent();
    multiply(world.path('state', 'journal.sqlite'), String(FIRST), count);
    // It reads every manifest first, and the program is a debug build.
    await world.startAgent(240_000);
    return world;
  } catch (error) {
    await world.close();
    throw error;
  }
}
