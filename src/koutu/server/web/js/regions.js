// What a click on a picture means: the area of like colour around it, or one person of several.

const LIKE = 46; // of 255, mean of the channels: how far a pixel may be from the colours around the click
const STEP = 16; // the same, from its neighbour
const SURE = 128; // of alpha, that belongs to somebody
const SHARE = 0.03; // of the largest person's area that makes a person of their own; less is a part of the nearest

/**
 * The area of like colour around (x, y): 1 where it is. rgba: bytes of width × height; alpha: bytes, one a pixel.
 * wanted(alpha): whether a pixel can be part of it at all.
 */
export function likeArea(rgba, alpha, width, height, [x, y], wanted) {
  const mask = new Uint8Array(width * height);
  const start = y * width + x;
  const seed = [0, 1, 2].map((c) => around(rgba, width, height, x, y, c));
  const queue = [start];
  mask[start] = 1;
  while (queue.length) {
    const at = queue.pop();
    for (const next of neighbours(at, width, height)) {
      if (mask[next] || !wanted(alpha[next])) continue;
      let far = 0;
      let step = 0;
      for (let c = 0; c < 3; c++) {
        far += Math.abs(rgba[4 * next + c] - seed[c]);
        step += Math.abs(rgba[4 * next + c] - rgba[4 * at + c]);
      }
      if (far > 3 * LIKE || step > 3 * STEP) continue;
      mask[next] = 1;
      queue.push(next);
    }
  }
  return grown(mask, width, height);
}

/** Mean of the 3 × 3 pixels there. */
function around(rgba, width, height, x, y, channel) {
  let sum = 0;
  let count = 0;
  for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
    for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
      sum += rgba[4 * (v * width + u) + channel];
      count++;
    }
  }
  return sum / count;
}

/** One pixel more on every side: the soft rim of what was found. */
function grown(mask, width, height) {
  const wider = mask.slice();
  for (let at = 0; at < mask.length; at++) if (mask[at]) for (const next of neighbours(at, width, height)) wider[next] = 1;
  return wider;
}

/** Everybody's pixels: {labels, count}, of each pixel the nearest person, 0 … count - 1; alpha: bytes, one a pixel. */
export function people(alpha, width, height) {
  const labels = new Int16Array(alpha.length).fill(-1);
  const sizes = [];
  for (let start = 0; start < alpha.length; start++) {
    if (labels[start] >= 0 || alpha[start] < SURE) continue;
    const label = sizes.length;
    labels[start] = label;
    const queue = [start];
    for (let i = 0; i < queue.length; i++) {
      for (const next of neighbours(queue[i], width, height)) {
        if (labels[next] < 0 && alpha[next] >= SURE) {
          labels[next] = label;
          queue.push(next);
        }
      }
    }
    sizes.push(queue.length);
  }
  const least = SHARE * Math.max(0, ...sizes);
  const names = new Map(sizes.map((size, i) => [i, size]).filter(([, size]) => size >= least).map(([i], name) => [i, name]));
  const queue = [];
  labels.forEach((label, at) => {
    labels[at] = names.get(label) ?? -1;
    if (labels[at] >= 0) queue.push(at);
  });
  for (let i = 0; i < queue.length; i++) {
    for (const next of neighbours(queue[i], width, height)) {
      if (labels[next] < 0) {
        labels[next] = labels[queue[i]];
        queue.push(next);
      }
    }
  }
  return { labels, count: names.size };
}

function* neighbours(at, width, height) {
  const x = at % width;
  if (x > 0) yield at - 1;
  if (x < width - 1) yield at + 1;
  if (at >= width) yield at - width;
  if (at < width * (height - 1)) yield at + width;
}
