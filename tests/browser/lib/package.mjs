// Packages that the simulated Align does not make, such as incomplete ones.
import { crc32 } from 'node:zlib';

/** A zip of `[name, bytes]`, stored. */
export function zipOf(members) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [name, bytes] of members) {
    const path = Buffer.from(name);
    // Version, flags, method, time and date; then checksum and sizes; then the name lengths.
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(0x21, 8);
    facts.writeUInt32LE(crc32(bytes), 10);
    facts.writeUInt32LE(bytes.length, 14);
    facts.writeUInt32LE(bytes.length, 18);
    facts.writeUInt16LE(path.length, 22);
    parts.push(Buffer.from('PK\x03\x04', 'latin1'), facts, path, bytes);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), facts, rest, path);
    offset += 4 + facts.length + path.length + bytes.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, listed, end]);
}

/** A binary STL: a bowl of a few centimetres, which the viewer can draw. */
export function bowl() {
  const steps = 16;
  const at = (i, j) => {
    const [x, y] = [(i / steps - 0.5) * 50, (j / steps - 0.5) * 50];
    return [x, y, (x * x + y * y) / 60];
  };
  const triangles = [];
  for (let i = 0; i < steps; i += 1) {
    for (let j = 0; j < steps; j += 1) {
      triangles.push([at(i, j), at(i + 1, j), at(i + 1, j + 1)], [at(i, j), at(i + 1, j + 1), at(i, j + 1)]);
    }
  }
  const bytes = Buffer.alloc(84 + 50 * triangles.length);
  bytes.writeUInt32LE(triangles.length, 80);
  triangles.forEach((corners, n) => {
    corners.flat().forEach((value, k) => bytes.writeFloatLE(value, 84 + 50 * n + 12 + 4 * k));
  });
  return bytes;
}

/** A package whose upper and lower jaw are the same scan, so that one of the two is missing. */
export function withOneJawTwice(id) {
  return zipOf([[`${id}_shell_occlusion_u.stl`, bowl()], [`${id}_shell_occlusion_l.stl`, bowl()]]);
}
