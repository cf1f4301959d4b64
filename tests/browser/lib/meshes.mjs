// Small made-up jaws: half a ring each, in millimetres; x to the patient's right, y to the front, z up.

/** Triangles of a jaw: `rows` cross sections along the arch, each a half circle of `columns` points. */
function arch({ height, rows = 32, columns = 10, axes = (point) => point }) {
  const side = Math.sign(height);
  const at = (row, column) => {
    const along = Math.PI * (row / rows);
    const across = Math.PI * (column / columns);
    const radius = 24 + 5 * Math.cos(across);
    // The front is narrow, as in a jaw: the arch is longer than wide.
    return axes([radius * Math.cos(along), 1.3 * radius * Math.sin(along) - 15, side * (2 + 7 * Math.sin(across)) + height]);
  };
  const triangles = [];
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const [a, b, c, d] = [at(row, column), at(row + 1, column), at(row + 1, column + 1), at(row, column + 1)];
      // The outside is where the corners go round to the left; one jaw is the mirror image of the other.
      if (side > 0) triangles.push([a, b, c], [a, c, d]);
      else triangles.push([a, c, b], [a, d, c]);
    }
  }
  return triangles;
}

export const upper = (more = {}) => arch({ height: 3, ...more });
export const lower = (more = {}) => arch({ height: -3, ...more });

/** A binary STL. */
export function stl(triangles) {
  const bytes = Buffer.alloc(84 + triangles.length * 50);
  bytes.write('made up');
  bytes.writeUInt32LE(triangles.length, 80);
  triangles.forEach((corners, number) => {
    corners.flat().forEach((value, at) => bytes.writeFloatLE(value, 84 + number * 50 + 12 + at * 4));
  });
  return bytes;
}

/** A text STL. */
export function stlText(triangles) {
  const facets = triangles.map((corners) =>
    `facet normal 0 0 0\nouter loop\n${corners.map((corner) => `vertex ${corner.join(' ')}`).join('\n')}\nendloop\nendfacet`);
  return `solid made\n${facets.join('\n')}\nendsolid made\n`;
}

/** A binary PLY with shared vertices; `color`, a function of a vertex, gives each one a colour. */
export function ply(triangles, color) {
  const numbers = new Map();
  const corners = [];
  const faces = triangles.map((triangle) => triangle.map((corner) => {
    const key = corner.join(' ');
    if (!numbers.has(key)) {
      numbers.set(key, corners.length);
      corners.push(corner);
    }
    return numbers.get(key);
  }));
  const colors = color ? 'property uchar red\nproperty uchar green\nproperty uchar blue\n' : '';
  const head = 'ply\nformat binary_little_endian 1.0\n'
    + `element vertex ${corners.length}\nproperty float x\nproperty float y\nproperty float z\n${colors}`
    + `element face ${faces.length}\nproperty list uchar int vertex_indices\nend_header\n`;
  const size = color ? 15 : 12;
  const bytes = Buffer.alloc(corners.length * size + faces.length * 13);
  corners.forEach((corner, number) => {
    corner.forEach((value, at) => bytes.writeFloatLE(value, number * size + at * 4));
    color?.(corner).forEach((value, at) => bytes.writeUInt8(value, number * size + 12 + at));
  });
  faces.forEach((face, number) => {
    const start = corners.length * size + number * 13;
    bytes.writeUInt8(3, start);
    face.forEach((corner, at) => bytes.writeInt32LE(corner, start + 1 + at * 4));
  });
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes]);
}

/** Gum and tooth: pink far from the bite, white near it. */
export const painted = ([, , height]) => (Math.abs(height) > 8 ? [224, 130, 130] : [240, 232, 214]);
