// The little of WebGL2 that the compositor needs: programs, textures, passes. Row 0 of every texture is the top row.

const QUAD = `#version 300 es
out vec2 uv;
uniform float flip;
void main() {
  vec2 at = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  uv = vec2(at.x, mix(at.y, 1.0 - at.y, flip));
  gl_Position = vec4(at * 2.0 - 1.0, 0, 1);
}`;

export class Gpu {
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    if (!gl) throw new Error("webgl2");
    this.gl = gl;
    const about = gl.getExtension("WEBGL_debug_renderer_info");
    const name = about ? gl.getParameter(about.UNMASKED_RENDERER_WEBGL) : "";
    this.imitated = /swiftshader|llvmpipe|software|basic render/i.test(name); // every pixel costs the processor
    this.largest = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.PACK_ALIGNMENT, 1);
    gl.bindVertexArray(gl.createVertexArray());
    gl.disable(gl.DITHER);
    this.programs = new Map();
    this.targets = new Map();
  }

  /** A texture with nothing in it; `filter`: "linear", "nearest" or "mipmaps". */
  texture(format = "rgba8", filter = "linear") {
    const { gl } = this;
    const texture = { name: gl.createTexture(), format, filter, width: 0, height: 0 };
    gl.bindTexture(gl.TEXTURE_2D, texture.name);
    const small = { linear: gl.LINEAR, nearest: gl.NEAREST, mipmaps: gl.LINEAR_MIPMAP_LINEAR }[filter];
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, small);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter === "nearest" ? gl.NEAREST : gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    return texture;
  }

  /** Put a picture, video or canvas, or an array of width × height, into the texture. */
  fill(texture, source, width, height) {
    const { gl } = this;
    const [inside, format, type] = this.kind(texture.format, source);
    gl.bindTexture(gl.TEXTURE_2D, texture.name);
    const array = source === null || ArrayBuffer.isView(source);
    if (array) gl.texImage2D(gl.TEXTURE_2D, 0, inside, width, height, 0, format, type, source);
    else gl.texImage2D(gl.TEXTURE_2D, 0, inside, format, type, source);
    texture.width = width;
    texture.height = height;
    if (texture.filter === "mipmaps" && source) gl.generateMipmap(gl.TEXTURE_2D);
    return texture;
  }

  /** Room for width × height to draw into. */
  room(texture, width, height) {
    if (texture.width !== width || texture.height !== height) this.fill(texture, null, width, height);
    return texture;
  }

  kind(format) {
    const { gl } = this;
    return {
      rgba8: [gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE],
      r8: [gl.R8, gl.RED, gl.UNSIGNED_BYTE],
      rg16f: [gl.RG16F, gl.RG, gl.FLOAT],
    }[format];
  }

  /**
   * Draw with a fragment shader into textures of one size, or onto the canvas (`into` empty).
   * inputs: name → texture, number, vector, or {int}; viewport [width, height].
   */
  pass(fragment, inputs, into, [width, height]) {
    const { gl } = this;
    const program = this.program(fragment);
    gl.useProgram(program.name);
    this.aim(into);
    gl.viewport(0, 0, width, height);
    let unit = 0;
    for (const [name, value] of Object.entries({ flip: into.length ? 0 : 1, ...inputs })) {
      const place = program.place(name);
      if (place === null) continue;
      if (value?.name) {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, value.name);
        gl.uniform1i(place, unit++);
      } else if (Array.isArray(value)) gl[`uniform${value.length}f`](place, ...value);
      else if (typeof value === "object") gl.uniform1i(place, value.int);
      else gl.uniform1f(place, value);
    }
    gl.activeTexture(gl.TEXTURE0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    for (const texture of into) {
      if (texture.filter !== "mipmaps") continue;
      gl.bindTexture(gl.TEXTURE_2D, texture.name);
      gl.generateMipmap(gl.TEXTURE_2D);
    }
  }

  /** Draw into these textures from now on, or onto the canvas. */
  aim(textures) {
    const { gl } = this;
    const count = textures.length;
    // One framebuffer for each count: a texture that stays attached beside the others could not be read.
    if (!this.targets.has(count)) this.targets.set(count, count ? gl.createFramebuffer() : null);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.targets.get(count));
    const places = textures.map((_, i) => gl.COLOR_ATTACHMENT0 + i);
    textures.forEach(({ name }, i) => gl.framebufferTexture2D(gl.FRAMEBUFFER, places[i], gl.TEXTURE_2D, name, 0));
    if (count) gl.drawBuffers(places);
  }

  /** RGBA bytes of an rgba8 texture, top row first. */
  read(texture) {
    const { gl } = this;
    this.aim([texture]);
    const bytes = new Uint8Array(4 * texture.width * texture.height);
    gl.readPixels(0, 0, texture.width, texture.height, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    return bytes;
  }

  program(fragment) {
    if (!this.programs.has(fragment)) this.programs.set(fragment, this.compiled(fragment));
    return this.programs.get(fragment);
  }

  compiled(fragment) {
    const { gl } = this;
    const name = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, QUAD], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(name, shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "shader");
    }
    gl.linkProgram(name);
    if (!gl.getProgramParameter(name, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(name) ?? "program");
    const places = new Map();
    const place = (uniform) => {
      if (!places.has(uniform)) places.set(uniform, gl.getUniformLocation(name, uniform));
      return places.get(uniform);
    };
    return { name, place };
  }
}
