// Arrays of a file that NumPy's `savez` has written.

const KINDS = { "<i8": BigInt64Array, "<i4": Int32Array, "<f4": Float32Array };

/** The arrays by name. Their shapes are left out. */
export async function readNpz(buffer) {
  const view = new DataView(buffer);
  const arrays = {};
  for (const { name, begin, size, method } of entries(view)) {
    let bytes = buffer.slice(begin, begin + size);
    if (method === 8) {
      const parts = new Blob([bytes]).stream();
      const inflated = parts.pipeThrough(new DecompressionStream("deflate-raw"));
      bytes = await new Response(inflated).arrayBuffer();
    }
    arrays[name.replace(/\.npy$/, "")] = readNpy(bytes);
  }
  return arrays;
}

/** What a zip file holds, by its directory, which stands at its end. */
function* entries(view) {
  let end = view.byteLength - 22;
  while (view.getUint32(end, true) !== 0x06054b50) end -= 1;
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    const lengths = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const header = view.getUint32(at + 42, true);
    const nameAndExtra =
      view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    yield {
      name: new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, lengths[0])),
      begin: header + 30 + nameAndExtra,
      size: view.getUint32(at + 20, true),
      method: view.getUint16(at + 10, true),
    };
    at += 46 + lengths[0] + lengths[1] + lengths[2];
  }
}

function readNpy(bytes) {
  const view = new DataView(bytes);
  const isFirst = view.getUint8(6) === 1;
  const length = isFirst ? view.getUint16(8, true) : view.getUint32(8, true);
  const begin = (isFirst ? 10 : 12) + length;
  const header = new TextDecoder().decode(new Uint8Array(bytes, begin - length, length));
  const kind = KINDS[/'descr': '([^']+)'/.exec(header)[1]];
  return new kind(bytes.slice(begin));
}
