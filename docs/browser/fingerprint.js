// FarmHash's Fingerprint64, by which n-grams are known: TensorFlow's
// `to_hash_bucket_fast` and Python's `farmhash.Fingerprint64` give the same numbers.
//
// Source: Pike, "Introducing FarmHash", Google Open Source Blog, 2014; the algorithm is
// that of `farmhashna::Hash64`.

const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;

const u64 = (value) => BigInt.asUintN(64, value);
const rotated = (value, bits) => u64((value >> bits) | (value << (64n - bits)));
const shiftMix = (value) => value ^ (value >> 47n);

function mixed(u, v, factor) {
  const a = shiftMix(u64((u ^ v) * factor));
  return u64(shiftMix(u64((v ^ a) * factor)) * factor);
}

function upTo16(view, length) {
  const factor = u64(K2 + BigInt(length) * 2n);
  if (length >= 8) {
    const a = u64(view.getBigUint64(0, true) + K2);
    const b = view.getBigUint64(length - 8, true);
    const c = u64(rotated(b, 37n) * factor + a);
    return mixed(c, u64((rotated(a, 25n) + b) * factor), factor);
  }
  if (length >= 4) {
    const a = BigInt(view.getUint32(0, true));
    const end = BigInt(view.getUint32(length - 4, true));
    return mixed(BigInt(length) + (a << 3n), end, factor);
  }
  if (length > 0) {
    const [a, b, c] = [0, length >> 1, length - 1].map((at) => view.getUint8(at));
    const y = BigInt(a + (b << 8));
    const z = BigInt(length + (c << 2));
    return u64(shiftMix(u64(y * K2) ^ u64(z * K0)) * K2);
  }
  return K2;
}

function upTo64(view, length) {
  const at = (place) => view.getBigUint64(place, true);
  const factor = u64(K2 + BigInt(length) * 2n);
  const a = u64(at(0) * (length <= 32 ? K1 : K2));
  const b = at(8);
  const c = u64(at(length - 8) * factor);
  const d = u64(at(length - 16) * K2);
  const y = u64(rotated(u64(a + b), 43n) + rotated(c, 30n) + d);
  const z = mixed(y, u64(a + rotated(u64(b + K2), 18n) + c), factor);
  if (length <= 32) return z;
  const e = u64(at(16) * factor);
  const f = at(24);
  const g = u64((y + at(length - 32)) * factor);
  const h = u64((z + at(length - 24)) * factor);
  return mixed(
    u64(rotated(u64(e + f), 43n) + rotated(g, 30n) + h),
    u64(e + rotated(u64(f + a), 18n) + g),
    factor,
  );
}

function ofLong(view, length) {
  const at = (place) => view.getBigUint64(place, true);
  const weak = (place, a, b) => {
    const begin = u64(a + at(place));
    const all = u64(begin + at(place + 8) + at(place + 16));
    const z = at(place + 24);
    const turned = rotated(u64(b + begin + z), 21n);
    return [u64(all + z), u64(turned + rotated(all, 44n) + begin)];
  };
  let y = u64(81n * K1 + 113n);
  let z = u64(shiftMix(u64(y * K2 + 113n)) * K2);
  let x = u64(81n * K2 + at(0));
  let v = [0n, 0n];
  let w = [0n, 0n];
  const round = (place, factor, isLast) => {
    x = u64(rotated(u64(x + y + v[0] + at(place + 8)), 37n) * factor);
    y = u64(rotated(u64(y + v[1] + at(place + 48)), 42n) * factor);
    x ^= isLast ? u64(w[1] * 9n) : w[1];
    y = u64(y + v[0] * (isLast ? 9n : 1n) + at(place + 40));
    z = u64(rotated(u64(z + w[0]), 33n) * factor);
    v = weak(place, u64(v[1] * factor), u64(x + w[0]));
    w = weak(place + 32, u64(z + w[1]), u64(y + at(place + 16)));
    [x, z] = [z, x];
  };
  const rest = (length - 1) % 64;
  const end = length - 1 - rest;
  for (let place = 0; place < end; place += 64) round(place, K1, false);
  const factor = u64(K1 + ((z & 0xffn) << 1n));
  w[0] = u64(w[0] + BigInt(rest));
  v[0] = u64(v[0] + w[0]);
  w[0] = u64(w[0] + v[0]);
  round(end + rest - 63, factor, true);
  return mixed(
    u64(mixed(v[0], w[0], factor) + shiftMix(y) * K0 + z),
    u64(mixed(v[1], w[1], factor) + x),
    factor,
  );
}

/** The fingerprint of a text's UTF-8 bytes, a BigInt below 2^64. */
export function fingerprint64(text) {
  const bytes = new TextEncoder().encode(text);
  const view = new DataView(bytes.buffer);
  if (bytes.length <= 16) return upTo16(view, bytes.length);
  return (bytes.length <= 64 ? upTo64 : ofLong)(view, bytes.length);
}
