// Several files in one ZIP, stored as they are: PNGs would not get smaller.

import { crc32 } from "./png.js";

const HEAD = 30; // bytes of a file's header before its name
const ENTRY = 46; // the same in the list at the end
const VERSION = 20; // of the format
const UTF8 = 0x800; // names are UTF-8
const LARGEST = 0xffffffff; // bytes that this form of ZIP holds

/** files: [{name, bytes}], names made different where they are not → Blob. */
export function zip(files) {
  const parts = [];
  const list = [];
  let at = 0;
  for (const { name, bytes } of different(files)) {
    const title = new TextEncoder().encode(name);
    const about = { crc: crc32(bytes), size: bytes.length, title, at };
    parts.push(header(about), title, bytes);
    list.push(entry(about), title);
    at += HEAD + title.length + bytes.length;
  }
  const size = list.reduce((sum, part) => sum + part.length, 0);
  if (at + size > LARGEST) throw new Error("more than 4 GB");
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  for (const place of [8, 10]) end.setUint16(place, files.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, at, true);
  return new Blob([...parts, ...list, end], { type: "application/zip" });
}

function header({ crc, size, title }) {
  const view = new DataView(new ArrayBuffer(HEAD));
  view.setUint32(0, 0x04034b50, true);
  common(view, 4, crc, size, title);
  return new Uint8Array(view.buffer);
}

function entry({ crc, size, title, at }) {
  const view = new DataView(new ArrayBuffer(ENTRY));
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(4, VERSION, true);
  common(view, 6, crc, size, title);
  view.setUint32(42, at, true);
  return new Uint8Array(view.buffer);
}

/** What both say: version, flags, no compression, a moment, checksum, both sizes, the name's length. */
function common(view, from, crc, size, title) {
  const now = new Date();
  view.setUint16(from, VERSION, true);
  view.setUint16(from + 2, UTF8, true);
  view.setUint16(from + 6, (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1), true);
  view.setUint16(from + 8, (Math.max(0, now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate(), true);
  view.setUint32(from + 10, crc, true);
  view.setUint32(from + 14, size, true);
  view.setUint32(from + 18, size, true);
  view.setUint16(from + 22, title.length, true);
}

function different(files) {
  const taken = new Map();
  return files.map(({ name, bytes }) => {
    const count = (taken.get(name) ?? 0) + 1;
    taken.set(name, count);
    const [, stem, ending] = name.match(/^(.*?)(\.[^.]*)?$/);
    return { name: count > 1 ? `${stem} (${count})${ending ?? ""}` : name, bytes };
  });
}
