// A worker that fetches one mesh, reads it and makes it ready to draw, so that the page stays usable
// meanwhile. It is told { url, format } and answers with
//
//   { done }                                         bytes so far
//   { position, normal, color, index, triangles }    the mesh; color may be missing
//   { failed }                                       why there is none
import { BufferAttribute, BufferGeometry, PLYLoader, STLLoader } from './vendor/three.js';

/** Progress is told once in so many milliseconds. */
const TOLD = 100;

self.addEventListener('message', async ({ data: { url, format } }) => {
  try {
    const bytes = await load(url);
    const mesh = ready(format === 'ply' ? new PLYLoader().parse(bytes) : new STLLoader().parse(bytes));
    const buffers = [mesh.position, mesh.normal, mesh.color, mesh.index].map((array) => array?.buffer);
    self.postMessage(mesh, [...new Set(buffers)].filter(Boolean));
  } catch (error) {
    self.postMessage({ failed: String(error?.message ?? error) });
  }
});

async function load(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
  // Whoever has to log in again is sent to another page, which is no mesh.
  if (answer.redirected) throw new Error(`redirected to ${answer.url}`);
  const chunks = [];
  let done = 0;
  let telling;
  const reader = answer.body.getReader();
  for (;;) {
    const { value } = await reader.read();
    if (!value) break;
    chunks.push(value);
    done += value.length;
    telling ??= setTimeout(() => {
      telling = undefined;
      self.postMessage({ done });
    }, TOLD);
  }
  clearTimeout(telling);
  const bytes = new Uint8Array(done);
  let at = 0;
  for (const chunk of chunks.splice(0)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes.buffer;
}

/** What the loaders read, checked, with shared corners and smooth. */
function ready(geometry) {
  let position = floats(geometry.attributes.position?.array ?? []);
  let index = geometry.index?.array;
  const color = geometry.attributes.color?.array;
  const corners = index?.length ?? position.length / 3;
  if (corners < 3 || corners % 3 !== 0) throw new Error('it holds no triangle');
  if (!position.every(Number.isFinite)) throw new Error('a coordinate is no number');
  const count = position.length / 3;
  if (index?.some((corner) => corner < 0 || corner >= count)) throw new Error('a corner is missing');
  // STL repeats each corner for each triangle. Only shared ones give a smooth surface.
  if (!index && !color) ({ position, index } = shared(position));
  const smooth = new BufferGeometry();
  smooth.setAttribute('position', new BufferAttribute(position, 3));
  if (index) smooth.setIndex(new BufferAttribute(index, 1));
  smooth.computeVertexNormals();
  return { position, normal: smooth.attributes.normal.array, color, index, triangles: corners / 3 };
}

function floats(array) {
  return array instanceof Float32Array ? array : Float32Array.from(array);
}

/** Each place once, and the corners by number: a hash table over the bits of the coordinates. */
function shared(position) {
  // No minus zero, which has other bits than zero.
  for (let at = 0; at < position.length; at += 1) position[at] += 0;
  const bits = new Int32Array(position.buffer, position.byteOffset, position.length);
  const corners = position.length / 3;
  const slots = 2 ** Math.ceil(Math.log2(corners * 2));
  const table = new Int32Array(slots).fill(-1);
  const index = new Uint32Array(corners);
  let count = 0;
  for (let corner = 0; corner < corners; corner += 1) {
    const [x, y, z] = [bits[corner * 3], bits[corner * 3 + 1], bits[corner * 3 + 2]];
    let hash = Math.imul(x, 0x9e3779b1) ^ Math.imul(y, 0x85ebca77) ^ Math.imul(z, 0xc2b2ae3d);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    let slot = (hash ^ (hash >>> 13)) & (slots - 1);
    for (;;) {
      const there = table[slot];
      if (there < 0) {
        // Places that were met are moved to the front, which was read already.
        bits.copyWithin(count * 3, corner * 3, corner * 3 + 3);
        table[slot] = count;
        index[corner] = count;
        count += 1;
        break;
      }
      if (bits[there * 3] === x && bits[there * 3 + 1] === y && bits[there * 3 + 2] === z) {
        index[corner] = there;
        break;
      }
      slot = (slot + 1) & (slots - 1);
    }
  }
  return { position: position.slice(0, count * 3), index };
}
