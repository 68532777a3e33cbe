// Reads a file with the npm package pmtiles and prints what it finds as JSON:
//
//	node read.mjs NODE_MODULES FILE < addresses, z/x/y, one a line
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, path] = process.argv.slice(2);
const { PMTiles } = await import(pathToFileURL(resolve(modules, "pmtiles/dist/esm/index.js")));

const file = await open(path);
const archive = new PMTiles({
  getKey: () => path,
  async getBytes(offset, length) {
    const buffer = new ArrayBuffer(length);
    const { bytesRead } = await file.read(new Uint8Array(buffer), 0, length, offset);
    return { data: buffer.slice(0, bytesRead) };
  },
});

let addresses = "";
for await (const chunk of process.stdin) addresses += chunk;
const tiles = {};
for (const address of addresses.split("\n")) {
  const found = await archive.getZxy(...address.split("/").map(Number));
  if (found) tiles[address] = Buffer.from(found.data).toString();
}
const header = await archive.getHeader();
console.log(JSON.stringify({ Header: header, Metadata: await archive.getMetadata(), Tiles: tiles }));
await file.close();
