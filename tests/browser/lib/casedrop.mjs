// The program itself: a simulated Align and an agent that works for it, in a folder that is removed at
// the end with everything that they wrote.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';
import { until } from './browser.mjs';
import { makeFolder, owned } from './tidy.mjs';

/** The lab of all tests, its account, and its login at the simulated Align. */
export const LAB = 'smile-lab';
export const ACCOUNT = '4711';
const CLIENT = { client_id: 'casedrop-sim', client_secret: 'simulated-secret' };
/** The agent's polling interval, and the shortest that the simulator allows. */
const POLL_MS = 200;
/** Longer than anything that the program does takes, in milliseconds. */
const PATIENCE = 60_000;

const PROGRAM = process.env.CASEDROP_TEST_PROGRAM
  || fileURLToPath(new URL('../../../target/debug/casedrop', import.meta.url));

/** A small order; `more` are further keys of the simulator's order specification. */
export function order(id, more = {}) {
  return { id: String(id), kind: 'ortho-shell', mesh: 'stl', triangles: 300, pixels: 64, ...more };
}

/**
 * Starts a world with one lab: a simulated Align with these `orders` (see `order`) and `settings`, and an
 * agent with further keys in its `config`, logged in and paired unless `loggedIn` is false. With `fresh` there
 * is no config: the agent has only what the environment says, and asks for the rest on its page.
 */
export async function startWorld({ orders = [], settings = {}, config = {}, loggedIn = true, fresh = false } = {}) {
  assert.ok(existsSync(PROGRAM), `there is no program at ${PROGRAM}; run: cargo build --locked`);
  const world = new World();
  try {
    await world.start(orders, settings, config, loggedIn, fresh);
    return world;
  } catch (error) {
    const said = world.said();
    await world.close();
    throw new Error(`the world does not start: ${error.message}\n${said}`, { cause: error });
  }
}

class World {
  #folder;
  #simulator;
  #agent;
  #port;
  /** Environment variables for the program. */
  #env = {};

  async start(orders, settings, config, loggedIn, fresh) {
    this.#folder = await makeFolder('casedrop-browser-');
    const callback = `http://127.0.0.1:${await freePort()}/callback`;
    const account = { id: ACCOUNT, name: 'Smile Dental Lab', ...CLIENT, redirect_urls: [callback], orders };
    const scenario = { settings: { min_poll_interval_ms: POLL_MS, ...settings }, accounts: [account] };
    await writeFile(this.path('scenario.yaml'), JSON.stringify(scenario));
    await mkdir(this.path('packages'));
    this.#simulator = this.#spawn([
      'simulate', '--listen', '127.0.0.1:0', '--scenario', this.path('scenario.yaml'), '--packages', this.path('packages'),
    ]);
    this.admin = await until('the simulator listens', () => {
      this.#simulator.assertRunning();
      return this.#simulator.said.match(/Admin: (http:\S+)\/state/)?.[1];
    });
    const base = this.admin.replace(/\/admin$/, '');
    const oauth = this.#simulator.said.match(/Login: (http:\S+)/)[1];
    this.#port = await freePort();
    this.values = { oauth_base: oauth, base_url: base, ...CLIENT, redirect_url: callback };
    if (fresh) {
      this.#env = {
        CASEDROP_STATE: this.path('state'),
        CASEDROP_SECRETS: 'file',
        CASEDROP_POLLING__INTERVAL: `${POLL_MS}ms`,
        CASEDROP_DOWNLOADS__RETRY_404: '100ms,100ms',
        CASEDROP_RETENTION__MIN_FREE: '1MB',
        CASEDROP_STATUS_PAGE__LISTEN: `127.0.0.1:${this.#port}`,
      };
      return this.startAgent();
    }
    const keys = {
      output: this.path('orders'),
      state: this.path('state'),
      commands: this.path('commands'),
      secrets: 'file',
      polling: { interval: `${POLL_MS}ms` },
      downloads: { retry_404: ['100ms', '100ms'] },
      retention: { min_free: '1MB' },
      status_page: { listen: `127.0.0.1:${this.#port}` },
      labs: [{ name: LAB, ...this.values, account: ACCOUNT }],
      ...config,
    };
    // One key per line, as in a hand-written config; JSON is YAML.
    const lines = Object.entries(keys).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
    await writeFile(this.path('casedrop.yaml'), lines.join(''));
    if (loggedIn) {
      await this.logIn();
      await this.casedrop('pair', LAB);
    }
    await this.startAgent();
  }

  /** A path in the world's folder. */
  path(...parts) {
    return join(this.#folder.path, ...parts);
  }

  /** The URL of the status page, without a trailing slash. */
  get origin() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The path of an order's page. */
  pageOf(id) {
    return `/orders/${LAB}/${ACCOUNT}/${id}`;
  }

  /** Starts the agent and waits up to `patience` milliseconds until it serves its page. */
  async startAgent(patience = PATIENCE) {
    this.#agent = this.#spawn(['run', '--config', this.path('casedrop.yaml')]);
    await until('the status page answers', async () => {
      this.#agent.assertRunning();
      const answer = await fetch(`${this.origin}/assets/app.js`).catch(() => undefined);
      return answer?.ok;
    }, patience);
  }

  /** Stops the agent as a service manager would. */
  async stopAgent() {
    await this.#agent.stop();
  }

  /** Runs a command of the program, which must succeed. Returns its output. */
  async casedrop(...args) {
    const child = this.#spawn([...args, '--config', this.path('casedrop.yaml')]);
    const code = await child.ended;
    assert.equal(code, 0, `casedrop ${args.join(' ')} ended with ${code}:\n${child.said}`);
    return child.printed;
  }

  /** Logs in as a user with a browser would. */
  async logIn() {
    const child = this.#spawn(['login', LAB, '--no-browser', '--config', this.path('casedrop.yaml')]);
    const url = await until('the login names its address', () => {
      if (!child.printed.includes('\n')) child.assertRunning();
      return child.printed.match(/^(http\S+)\s/)?.[1];
    });
    // The simulated sign-in sends the browser straight back to where the command listens.
    await fetch(url);
    assert.equal(await child.ended, 0, `the login failed:\n${child.said}`);
  }

  /** Calls the simulator's admin endpoint; see crates/simulator/src/admin.rs. */
  async align(method, path, body) {
    const answer = await fetch(`${this.admin}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${answer.ok ? '' : await answer.text()}`);
    return answer.json();
  }

  /** Creates a new scan at Align. */
  async scan(spec) {
    return this.align('POST', '/orders', spec);
  }

  /** Creates an order at Align with these bytes as its package, such as those of `zipOf`. */
  async package(id, bytes) {
    await writeFile(this.path('package.part'), bytes);
    await rename(this.path('package.part'), this.path('packages', `iTero_Export_${id}.zip`));
  }

  /** What Align knows about an order. */
  async atAlign(id) {
    const { orders } = await this.align('GET', '/state');
    return orders.find((one) => one.id === String(id));
  }

  /** How often an order's package was downloaded from its first byte. */
  async downloads(id) {
    return (await this.atAlign(id)).assets.IDE?.started ?? 0;
  }

  /** Injects a fault; see crates/simulator/src/faults.rs. */
  async fault(rule) {
    return this.align('POST', '/faults', rule);
  }

  /** Waits until that revision is in the hot folder, and returns its manifest. */
  async published(id, revision = 1) {
    return until(`revision ${revision} of ${id} is published`, async () => {
      this.#agent?.assertRunning();
      const text = await readFile(this.path('orders', LAB, ACCOUNT, String(id), 'manifest.json'), 'utf8').catch(() => undefined);
      const manifest = text && JSON.parse(text);
      return manifest?.revision >= revision && manifest;
    }, PATIENCE);
  }

  /** Waits until the journal's story of an order satisfies `is`, and returns it. */
  async story(id, is) {
    return until(`the story of ${id} tells what was waited for`, async () => {
      const [story] = JSON.parse(await this.casedrop('show', String(id), '--json').catch(() => '[]'));
      return story && is(story) && story;
    }, PATIENCE);
  }

  /** Drops a file into the command folder and waits until it is answered. */
  async command(name) {
    await writeFile(this.path('commands', name), '');
    await until(`${name} is answered`, async () => !(await readdir(this.path('commands'))).includes(name));
  }

  /** The messages of all processes, for looking into a failure. */
  said() {
    return [this.#simulator, this.#agent].map((child) => child?.said.slice(-6000) ?? '').join('\n---\n');
  }

  /** Ends everything and removes the folder. */
  async close() {
    await this.#agent?.stop();
    await this.#simulator?.stop();
    await this.#folder?.remove();
  }

  #spawn(args) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CASEDROP_')));
    return new Child(args, { ...env, ...this.#env, TMPDIR: this.#folder.path });
  }
}

class Child {
  printed = '';
  said = '';
  #process;
  #args;

  constructor(args, env) {
    this.#args = args;
    this.#process = spawn(PROGRAM, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const forget = owned(() => this.#process.kill('SIGKILL'));
    this.#process.stdout.setEncoding('utf8').on('data', (text) => { this.printed += text; });
    this.#process.stderr.setEncoding('utf8').on('data', (text) => { this.said += text; });
    this.ended = new Promise((resolve) => {
      this.#process.on('close', (code, signal) => {
        forget();
        resolve(code ?? signal);
      });
    });
  }

  assertRunning() {
    const { exitCode, signalCode } = this.#process;
    assert.ok(exitCode === null && signalCode === null, `casedrop ${this.#args[0]} has ended: ${exitCode ?? signalCode}\n${this.said}`);
  }

  /** Asks the process to stop, and kills it if it does not. */
  async stop() {
    this.#process.kill('SIGTERM');
    const late = setTimeout(() => this.#process.kill('SIGKILL'), 15_000);
    await this.ended;
    clearTimeout(late);
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
