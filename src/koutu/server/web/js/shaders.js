// The passes of the compositor. Colours are as in the picture's file, not linear: as koutu composites everywhere.

const HEAD = `#version 300 es
precision highp float;
precision highp sampler2D;
in vec2 uv;
`;

/** A picture half as large: the mean of 2 × 2, an odd last row or column counted twice. As koutu.color.halve. */
export const HALVE = `${HEAD}
uniform sampler2D source;
out vec4 colour;
void main() {
  ivec2 last = textureSize(source, 0) - 1;
  ivec2 at = 2 * ivec2(gl_FragCoord.xy);
  ivec2 next = min(at + 1, last);
  colour = 0.25 * (texelFetch(source, at, 0) + texelFetch(source, ivec2(next.x, at.y), 0)
    + texelFetch(source, ivec2(at.x, next.y), 0) + texelFetch(source, next, 0));
}`;

export const COPY = `${HEAD}
uniform sampler2D source;
out vec4 colour;
void main() { colour = texture(source, uv); }`;

/** A picture without what its own alpha hides, in white instead. As koutu.composite.hide. */
export const HIDE = `${HEAD}
uniform sampler2D source;
out vec4 colour;
void main() {
  vec4 straight = texelFetch(source, ivec2(gl_FragCoord.xy), 0);
  colour = straight.a < 2.5 / 255.0 ? vec4(1, 1, 1, 0) : straight;
}`;

/** A picture on white where its own alpha lets through. */
export const FLAT = `${HEAD}
uniform sampler2D source;
out vec4 colour;
void main() {
  vec4 straight = texelFetch(source, ivec2(gl_FragCoord.xy), 0);
  colour = vec4(mix(vec3(1), straight.rgb, straight.a), 1);
}`;

export const FOURTH = `${HEAD}
uniform sampler2D source;
out vec4 colour;
void main() { colour = vec4(texture(source, uv).a); }`;

/** Alpha at the picture's size from the network's: cubic, and slope × luma + offset. As koutu.matting.refine. */
export const REFINE = `${HEAD}
uniform sampler2D small, lines, picture;
out vec4 colour;
vec4 weights(float t) {  // cubic convolution with a = -0.75, as OpenCV has it
  float s = 1.0 - t;
  vec4 w;
  w.x = ((-0.75 * (t + 1.0) + 3.75) * (t + 1.0) - 6.0) * (t + 1.0) + 3.0;
  w.y = (1.25 * t - 2.25) * t * t + 1.0;
  w.z = (1.25 * s - 2.25) * s * s + 1.0;
  w.w = 1.0 - w.x - w.y - w.z;
  return w;
}
void main() {
  vec2 line = texture(lines, uv).rg;
  if (line == vec2(0)) { colour = vec4(texelFetch(small, ivec2(uv * vec2(textureSize(small, 0))), 0).r); return; }
  vec2 size = vec2(textureSize(small, 0));
  vec2 at = uv * size - 0.5, base = floor(at);
  vec4 wx = weights(at.x - base.x), wy = weights(at.y - base.y);
  ivec2 last = ivec2(size) - 1;
  float alpha = 0.0;
  for (int row = 0; row < 4; row++) {
    int y = clamp(int(base.y) + row - 1, 0, last.y);
    vec4 four;
    for (int i = 0; i < 4; i++) four[i] = texelFetch(small, ivec2(clamp(int(base.x) + i - 1, 0, last.x), y), 0).r;
    alpha += wy[row] * dot(wx, four);
  }
  alpha = clamp(floor(alpha * 255.0 + 0.5) / 255.0, 0.0, 1.0);
  float luma = dot(texture(picture, uv).rgb, vec3(0.299, 0.587, 0.114));
  colour = vec4(vec3(alpha + line.x * luma + line.y), 1);
}`;

/** Alpha touched up. On a later picture of the shot it counts where the network says again what it said then. */
export const TOUCH = `${HEAD}
uniform sampler2D plain, fix, seen;
uniform float exact;
out vec4 colour;
void main() {
  float a = texture(plain, uv).r;
  vec4 mark = texture(fix, uv);
  float weight = max(exact, 1.0 - smoothstep(0.25, 0.45, abs(a - texture(seen, uv).r)));
  vec2 wish = mark.rg * mark.a * weight;  // keep, erase
  colour = vec4(vec3(mix(mix(a, 1.0, wish.r), 0.0, wish.g)), 1);
}`;

/** Sums for the colours near the edge, at half size: the person's and the background's. */
export const SUMS = `${HEAD}
uniform sampler2D picture, alpha;
layout(location = 0) out vec4 front;
layout(location = 1) out vec4 back;
float known(float a) {  // mixed pixels hardly count
  float w = pow(a, 6.0);
  return w < 32.0 / 255.0 ? 0.0 : w;
}
void main() {
  vec4 rgb = texture(picture, uv);
  float a = texture(alpha, uv).r;
  front = vec4(rgb.rgb, 1) * known(a);
  back = vec4(rgb.rgb, 1) * known(1.0 - a);
}`;

/** The background's colours for blur, at half size: each counts 1 - alpha, and none near the rim. */
export const AROUND = `${HEAD}
uniform sampler2D picture, alpha;
uniform float reach;  // of the rim that blur keeps off
out vec4 colour;
void main() {
  vec2 far = reach / vec2(textureSize(alpha, 0));
  float most = 0.0;
  for (int i = 0; i < 9; i++) most = max(most, texture(alpha, uv + far * vec2(i % 3 - 1, i / 3 - 1)).r);
  colour = vec4(texture(picture, uv).rgb, 1) * (1.0 - most);
}`;

/** One direction of a Gaussian of `sigma` texels over a level of `source`. */
export const GAUSS = `${HEAD}
uniform sampler2D source;
uniform float level, sigma;
uniform vec2 way;  // one texel of the level
out vec4 colour;
void main() {
  vec4 sum = vec4(0);
  float total = 0.0;
  for (float i = -9.0; i <= 9.0; i++) {
    float w = exp(-0.5 * i * i / (sigma * sigma));
    sum += w * textureLod(source, uv + i * way, level);
    total += w;
  }
  colour = sum / total;
}`;

/** The middle of a picture, as much as has the shape of the target. */
export const COVER = `${HEAD}
uniform sampler2D source;
uniform vec2 part;
out vec4 colour;
void main() { colour = texture(source, (uv - 0.5) * part + 0.5); }`;

/** The person's own colours in the rim (as koutu.foreground.decontaminate), then what the view asks for. */
export const SHOW = `${HEAD}
uniform sampler2D picture, alpha, front, back, fgr, behind, soft;
uniform vec4 window;      // left, top, width, height of the part shown
uniform float mirror, split, narrow, wide, hasFgr, hasAlpha, clean;
uniform float whole;      // whether alpha holds the picture's own already, of what was cut away before it came here
uniform float veil;       // how much of a picture without alpha is hidden where a result belongs
uniform int view;         // 0 original, 1 result, 2 alpha, 3 original | result, 4 cut-out with straight alpha
uniform int background;   // 0 transparent, 1 colour, 2 picture, 3 blur
uniform vec3 plain, squareA, squareB;
uniform float square;     // side of a square of the chequer, in pixels of the target
out vec4 colour;

vec3 local(sampler2D sums, vec2 at, vec3 prior) {
  vec4 far = textureLod(sums, at, wide);
  far = vec4(far.rgb + 0.001 * prior, far.a + 0.001);
  vec4 near = textureLod(sums, at, narrow);
  return (near.rgb + 0.03 * far.rgb / far.a) / (near.a + 0.03);
}

vec3 own(vec2 at, vec3 rgb, float a) {
  if (hasFgr > 0.5) return texture(fgr, at).rgb;
  if (clean < 0.5 || a <= 0.002 || a >= 0.998) return rgb;
  vec3 f = local(front, at, rgb), b = local(back, at, rgb);
  return clamp(f + a * (rgb - a * f - (1.0 - a) * b), 0.0, 1.0);
}

vec3 backdrop(vec2 seen) {
  if (background == 1) return plain;
  if (background == 2) return texture(behind, seen).rgb;
  vec4 sum = texture(soft, mirror > 0.5 ? vec2(1.0 - seen.x, seen.y) : seen);
  vec4 mean = textureLod(front, vec2(0.5), 16.0);
  return (sum.rgb + 0.004 * mean.rgb / max(mean.a, 0.004)) / (sum.a + 0.004);
}

void main() {
  vec2 seen = window.xy + uv * window.zw;
  vec2 at = mirror > 0.5 ? vec2(1.0 - seen.x, seen.y) : seen;
  vec4 given = texture(picture, at);
  vec3 rgb = given.rgb;
  float found = hasAlpha > 0.5 ? texture(alpha, at).r : 1.0;  // how much of the colour is the person's
  float a = whole > 0.5 ? min(found, given.a) : found * given.a;
  bool before = view == 0 || (view == 3 && uv.x < split);
  if (before) { colour = vec4(rgb, 1); return; }
  if (hasAlpha < 0.5) { colour = vec4(mix(rgb, squareB, veil), 1); return; }
  if (view == 2) { colour = vec4(vec3(a), 1); return; }
  if (view == 4) { colour = a < 0.5 / 255.0 ? vec4(0) : vec4(own(at, rgb, found), a); return; }
  if (a > 0.998) { colour = vec4(hasFgr > 0.5 ? texture(fgr, at).rgb : rgb, 1); return; }
  vec2 cell = floor(gl_FragCoord.xy / square);
  vec3 b = background == 0 ? (mod(cell.x + cell.y, 2.0) < 0.5 ? squareA : squareB) : backdrop(seen);
  colour = vec4(a < 0.002 ? b : mix(b, own(at, rgb, found), a), 1);
}`;
