// The tiles to choose a background by, and what each means to the compositor and to the server.

import { settings } from "./settings.js";
import { bitmapOf, Trouble } from "./source.js";
import { say } from "./words.js";

const COLOURS = { white: "#ffffff", black: "#101214", green: "#00b140", blue: "#2b5fb3", sand: "#d8c6a8" };
const OWN_COLOUR = "#c8321f";

export const isColour = (background) => /^#[0-9a-f]{6}$/i.test(background);
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

export class Backgrounds {
  /** offered: of /api/config; setBehind(bitmap): hand a picture to the compositor. */
  constructor(offered, { setBehind, failed }) {
    Object.assign(this, { offered, setBehind, failed });
    this.own = null; // the visitor's picture: {file, bitmap}
    this.shown = "";
    const known = ["transparent", "blur", ...offered.map(({ name }) => name)];
    const chosen = settings.get("background");
    if (!known.includes(chosen) && !isColour(chosen)) settings.set("background", offered[0]?.name ?? "transparent");
  }

  /** For the compositor; colours while a picture is still on its way. */
  get look() {
    const chosen = settings.get("background");
    if (chosen === "transparent") return { kind: "transparent" };
    if (chosen === "blur") return { kind: "blur", strength: Number(settings.get("strength")) };
    if (isColour(chosen)) return { kind: "colour", colour: rgb(chosen) };
    return this.shown === chosen ? { kind: "picture" } : { kind: "colour", colour: [128, 124, 118] };
  }

  /** As the server calls it; null for what it does not have: transparency and the visitor's own picture. */
  get forServer() {
    const chosen = settings.get("background");
    if (chosen === "transparent" || chosen === "upload") return null;
    return chosen === "blur" ? `blur:${settings.get("strength")}` : chosen;
  }

  /** Load the picture that was chosen. */
  async show() {
    const chosen = settings.get("background");
    if (this.shown === chosen && chosen !== "upload") return;
    const offer = this.offered.find(({ name }) => name === chosen);
    if (!offer && chosen !== "upload") return;
    const bitmap = offer ? await this.fetched(offer) : this.own?.bitmap;
    if (!bitmap || settings.get("background") !== chosen) return;
    this.setBehind(bitmap);
    this.shown = chosen;
  }

  async fetched(offer) {
    offer.bitmap ??= fetch(offer.url)
      .then((answer) => (answer.ok ? answer.blob() : Promise.reject(new Trouble("serverLost"))))
      .then((blob) => createImageBitmap(blob));
    offer.bitmap.catch(() => (offer.bitmap = null));
    return offer.bitmap;
  }

  /** A picture of the visitor's own; asJpeg: as of `bitmapOf`. */
  async take(file, asJpeg) {
    this.own = { file, bitmap: await bitmapOf(file, asJpeg) };
    this.shown = "";
    settings.set("background", "upload");
    this.draw();
  }

  /** Make the tiles; anew after a change of language. */
  draw() {
    const tiles = document.getElementById("tiles");
    const focused = tiles.querySelector("input:focus")?.value;
    const pictures = this.offered.map(({ name, thumb }) => this.tile(name, name, { image: thumb }));
    const colours = Object.entries(COLOURS).map(([name, hex]) => this.tile(name, hex, { colour: hex }));
    const chequer = this.tile("transparent", "transparent", { kind: "chequer" });
    const blur = this.tile("blur", "blur", { icon: "blur" });
    tiles.replaceChildren(chequer, blur, ...pictures, ...colours, this.colourTile(), ...this.uploadTiles());
    const chosen = settings.get("background");
    for (const input of tiles.querySelectorAll("input[type=radio]")) input.checked = input.value === chosen;
    tiles.querySelector(`input[value="${focused}"]`)?.focus();
    document.getElementById("strength-row").hidden = chosen !== "blur";
  }

  tile(word, value, { kind = "", image, colour, icon }) {
    const label = document.createElement("label");
    label.className = `tile ${kind}`;
    label.title = say(word);
    if (colour) label.style.background = colour;
    if (image) label.append(Object.assign(new Image(), { src: image, alt: "" }));
    if (icon) label.append(symbol(icon));
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "background", value });
    input.setAttribute("aria-label", say(word));
    input.addEventListener("change", () => settings.set("background", value));
    label.append(input);
    return label;
  }

  colourTile() {
    const chosen = settings.get("background");
    const own = isColour(chosen) && !Object.values(COLOURS).includes(chosen);
    const label = document.createElement("label");
    label.className = own ? "tile" : "tile rainbow";
    label.title = say("colourOwn");
    if (own) label.style.background = chosen;
    const input = Object.assign(document.createElement("input"), { type: "color", value: own ? chosen : OWN_COLOUR });
    input.setAttribute("aria-label", say("colourOwn"));
    input.addEventListener("input", () => {
      label.style.background = input.value;
      settings.set("background", input.value);
    });
    label.append(input);
    label.classList.toggle("chosen", own);
    return label;
  }

  uploadTiles() {
    const add = document.createElement("button");
    add.type = "button";
    add.className = "tile add";
    add.title = say("upload");
    add.setAttribute("aria-label", say("upload"));
    add.append(symbol("plus"));
    add.addEventListener("click", () => document.getElementById("upload").click());
    if (!this.own) return [add];
    const tile = this.tile("upload", "upload", {});
    const canvas = Object.assign(document.createElement("canvas"), { width: 96, height: 96 });
    const { bitmap } = this.own;
    const side = Math.min(bitmap.width, bitmap.height);
    const corner = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
    canvas.getContext("2d").drawImage(bitmap, ...corner, side, side, 0, 0, 96, 96);
    tile.prepend(canvas);
    return [tile, add];
  }
}

export function symbol(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(space, "use"));
  svg.firstChild.setAttribute("href", `/web/icons.svg#${name}`);
  return svg;
}
