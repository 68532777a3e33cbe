// Uploads a file with tus-js-client and prints the address of the upload:
//
//	node upload.mjs ENDPOINT FILE CHUNK_SIZE TOKEN
//
// What the client tries again goes to standard error.
import { createReadStream, statSync } from "node:fs";
import { basename } from "node:path";
import { Upload } from "tus-js-client";

const [endpoint, file, chunkSize, token] = process.argv.slice(2);

const upload = new Upload(createReadStream(file), {
  endpoint,
  chunkSize: Number(chunkSize),
  uploadSize: statSync(file).size,
  retryDelays: [0, 50, 100, 200, 400, 800, 1600, 3000, 5000, 5000, 5000],
  metadata: { filename: basename(file), filetype: "image/tiff" },
  headers: { Authorization: `Bearer ${token}` },
  onShouldRetry(err) {
    const status = err.originalResponse ? err.originalResponse.getStatus() : 0;
    console.error(`again after ${status || err.message.split("\n")[0].slice(0, 120)}`);
    return status === 0 || status === 409 || status === 423 || status >= 500;
  },
  onError(err) {
    console.error(String(err));
    process.exit(1);
  },
  onSuccess() {
    console.log(upload.url);
  },
});
upload.start();
