// Where up and front are in a scan. Nothing in a mesh says so, and vendors differ; the shape of the jaws
// tells. All directions are along an axis; x, y, z are unit vectors as arrays of three numbers.

/** Without better knowledge: z up, the front teeth towards +y. */
const USUAL = { up: [0, 0, 1], front: [0, 1, 0] };

/** So many points of a mesh are looked at. */
const POINTS = 20_000;
/** An opening has to be so many times as wide as the front to be taken for the back. */
const CLEARLY = 1.15;

/**
 * The directions up and front, from meshes with `jaw` and `position`: up leads from the lower jaw to the
 * upper one, and the front is where the arch is narrow.
 */
export function orientation(meshes) {
  const [upper, lower] = ['upper', 'lower'].map((jaw) => meshes.find((mesh) => mesh.jaw === jaw));
  const up = (upper && lower && between(lower, upper)) || USUAL.up;
  return { up, front: front(lower ?? upper ?? meshes[0], up) };
}

/** The axis along which the middle of one mesh lies furthest from that of the other. */
function between(from, to) {
  const [a, b] = [from, to].map((mesh) => middle(points(mesh)));
  const way = b.map((value, axis) => value - a[axis]);
  const axis = way.map(Math.abs).indexOf(Math.max(...way.map(Math.abs)));
  // Jaws that lie in one another have nothing to tell.
  return Math.abs(way[axis]) > 1 ? unit(axis, Math.sign(way[axis])) : undefined;
}

function front(mesh, up) {
  const along = [0, 1, 2].filter((axis) => up[axis] === 0);
  const all = points(mesh);
  let best = { ratio: CLEARLY };
  for (const axis of along) {
    const across = along.find((other) => other !== axis);
    const sorted = all.toSorted((a, b) => a[axis] - b[axis]);
    const fifth = Math.ceil(sorted.length / 5);
    const [start, end] = [sorted.slice(0, fifth), sorted.slice(-fifth)].map((part) => spread(part, across));
    const ratio = Math.max(start, end) / Math.max(Math.min(start, end), 1e-6);
    if (ratio > best.ratio) best = { ratio, front: unit(axis, end < start ? 1 : -1) };
  }
  if (best.front) return best.front;
  return up[1] === 0 ? USUAL.front : USUAL.up;
}

function points({ position }) {
  const count = position.length / 3;
  const step = Math.max(1, Math.floor(count / POINTS));
  const all = [];
  for (let at = 0; at < count; at += step) all.push([...position.subarray(at * 3, at * 3 + 3)]);
  return all;
}

function middle(all) {
  return [0, 1, 2].map((axis) => all.reduce((sum, point) => sum + point[axis], 0) / all.length);
}

/** The standard deviation along an axis. */
function spread(all, axis) {
  const mean = all.reduce((sum, point) => sum + point[axis], 0) / all.length;
  return Math.sqrt(all.reduce((sum, point) => sum + (point[axis] - mean) ** 2, 0) / all.length);
}

function unit(axis, sign) {
  return [0, 1, 2].map((other) => (other === axis ? sign : 0));
}
