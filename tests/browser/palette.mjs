// Makes a PNG small: at most 256 colours, the most frequent ones. Reads what Chromium writes: 8 bits, no interlace.

import { deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const COLOURS = 256;
const CHANNELS = { 2: 3, 6: 4 }; // of a PNG's colour types: RGB and RGBA

// PNG -> PNG.
export function withPalette(png) {
  const { width, height, pixels } = decoded(png);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const palette = [...counts].sort((one, other) => other[1] - one[1]).slice(0, COLOURS).map(([colour]) => colour);
  const places = new Map(palette.map((colour, place) => [colour, place]));
  for (const colour of counts.keys()) {
    if (!places.has(colour)) places.set(colour, nearest(palette, colour));
  }
  const rows = Buffer.alloc(height * (width + 1)); // each begins with its filter: 0, none
  pixels.forEach((pixel, at) => {
    rows[at + Math.floor(at / width) + 1] = places.get(pixel);
  });
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3], 8); // bits, colour type: an index into the palette
  const entries = Buffer.from(palette.flatMap((colour) => channels(colour)));
  const parts = [chunk('IHDR', head), chunk('PLTE', entries), chunk('IDAT', deflateSync(rows, { level: 9 }))];
  return Buffer.concat([SIGNATURE, ...parts, chunk('IEND', Buffer.alloc(0))]);
}

function decoded(png) {
  const data = [];
  let head;
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const kind = png.toString('latin1', at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + length);
    if (kind === 'IHDR') head = body;
    if (kind === 'IDAT') data.push(body);
    at += length + 12;
  }
  const [width, height, size] = [head.readUInt32BE(0), head.readUInt32BE(4), CHANNELS[head[9]]];
  const bytes = unfiltered(inflateSync(Buffer.concat(data)), width * size, height, size);
  const pixels = new Uint32Array(width * height);
  for (let at = 0; at < pixels.length; at++) {
    pixels[at] = (bytes[at * size] << 16) | (bytes[at * size + 1] << 8) | bytes[at * size + 2];
  }
  return { width, height, pixels };
}

// Undoes the five filters of the PNG standard: each byte was written as the difference to a guess.
function unfiltered(rows, length, height, size) {
  const bytes = Buffer.alloc(length * height);
  for (let row = 0; row < height; row++) {
    const filter = rows[row * (length + 1)];
    for (let column = 0; column < length; column++) {
      const at = row * length + column;
      const left = column >= size ? bytes[at - size] : 0;
      const above = row ? bytes[at - length] : 0;
      const corner = row && column >= size ? bytes[at - length - size] : 0;
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter];
      bytes[at] = rows[at + row + 1] + guess;
    }
  }
  return bytes;
}

function paeth(left, above, corner) {
  const distances = [above - corner, left - corner, left + above - 2 * corner].map(Math.abs);
  return [left, above, corner][distances.indexOf(Math.min(...distances))];
}

function nearest(palette, colour) {
  const wanted = channels(colour);
  const distances = palette.map((other) => channels(other).reduce((sum, each, at) => sum + (each - wanted[at]) ** 2, 0));
  return distances.indexOf(Math.min(...distances));
}

function channels(colour) {
  return [colour >> 16, (colour >> 8) & 255, colour & 255];
}

// CRC-32; Node.js has it from version 20.15 on, Debian's may be older.
function checksum(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return ~sum >>> 0;
}

function chunk(kind, body) {
  const named = Buffer.concat([Buffer.from(kind, 'latin1'), body]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(body.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(checksum(named), named.length + 4);
  return framed;
}
